using System.Net.Sockets;
using EdgeVirt.Contracts.Protos;

namespace EdgeVirt.Cli.Interactive;

/// <summary>A connection that a program on this machine made, and the channel that it goes through.</summary>
internal static class LocalConnection
{
    /// <summary>Carries until the node closes the channel.</summary>
    /// <exception cref="CliException">It closed for another reason than being done.</exception>
    public static async Task CarryAsync(Socket socket, ClientChannel channel, CancellationToken ct)
    {
        socket.NoDelay = true;
        await using var stream = new NetworkStream(socket);
        using var over = CancellationTokenSource.CreateLinkedTokenSource(ct);
        var outgoing = channel.SendAllAsync(stream, over.Token);
        var incoming = FromChannelAsync(socket, channel, over.Token);
        try
        {
            if (await Task.WhenAny(incoming, outgoing) == outgoing)
            {
                await outgoing;
            }

            await incoming;
        }
        finally
        {
            await over.CancelAsync();
            await outgoing.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await incoming.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    // The channel is closed by the node, when both directions have ended there.
    private static async Task FromChannelAsync(Socket socket, ClientChannel channel, CancellationToken ct)
    {
        await foreach (var message in channel.ReadAllAsync(ct))
        {
            if (message.KindCase == StreamMessage.KindOneofCase.End)
            {
                socket.Shutdown(SocketShutdown.Send);
                continue;
            }

            for (var data = message.Data.Memory; !data.IsEmpty;)
            {
                data = data[await socket.SendAsync(data, ct)..];
            }
        }
    }

    /// <summary>Makes the end a reset, so that the program here does not take a broken connection for one that ended in good order.</summary>
    public static void Abort(Socket socket)
    {
        try
        {
            socket.LingerState = new LingerOption(true, 0);
        }
        catch (SocketException)
        {
            // It is gone already.
        }
    }
}
