using System.Net.Sockets;
using EdgeVirt.Contracts.Channels;
using EdgeVirt.Contracts.Protos;
using EdgeVirt.Node.Control;
using Google.Protobuf;

namespace EdgeVirt.Node.Containers.Interactive;

/// <summary>A connection here that a channel leads to: bytes both ways, each direction with an end of its own.</summary>
internal static class SocketCarrier
{
    /// <summary>Carries until both directions have ended.</summary>
    /// <exception cref="ChannelRefusedException">The connection broke.</exception>
    public static async Task CarryAsync(Socket socket, ServedChannel channel, CancellationToken ct)
    {
        using var over = CancellationTokenSource.CreateLinkedTokenSource(ct);
        using var writer = new StreamMessageWriter(channel.SendAsync);
        var incoming = FromCallerAsync(socket, channel, over.Token);
        var outgoing = ToCallerAsync(socket, writer, over.Token);
        try
        {
            // Each direction ends by itself; whichever fails ends both.
            if (await Task.WhenAny(incoming, outgoing) == incoming)
            {
                await incoming;
            }

            await outgoing;
            await incoming;
        }
        catch (Exception e) when (e is SocketException or IOException && !ct.IsCancellationRequested)
        {
            throw new ChannelRefusedException(CloseReason.Failed, $"The connection broke: {e.Message}");
        }
        finally
        {
            if (!incoming.IsCompletedSuccessfully || !outgoing.IsCompletedSuccessfully)
            {
                // Not an end in good order: the program shall see that, too.
                socket.LingerState = new LingerOption(true, 0);
            }

            await over.CancelAsync();
            socket.Dispose();
            await Task.WhenAll(incoming, outgoing).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private static async Task FromCallerAsync(Socket socket, ServedChannel channel, CancellationToken ct)
    {
        await foreach (var message in StreamMessages.ReadAsync(channel.ReadAllAsync(ct), ct))
        {
            if (message.KindCase == StreamMessage.KindOneofCase.End)
            {
                socket.Shutdown(SocketShutdown.Send);
                return;
            }

            for (var data = message.Data.Memory; !data.IsEmpty;)
            {
                data = data[await socket.SendAsync(data, ct)..];
            }
        }
    }

    private static async Task ToCallerAsync(Socket socket, StreamMessageWriter writer, CancellationToken ct)
    {
        var buffer = new byte[StreamMessages.DataBytes];
        while (await socket.ReceiveAsync(buffer, ct) is var count and > 0)
        {
            await writer.WriteAsync(new StreamMessage { Data = ByteString.CopyFrom(buffer, 0, count) }, ct);
        }

        await writer.WriteAsync(new StreamMessage { End = true }, ct);
    }
}
