using System.Net.Sockets;
using EdgeVirt.Cli.Commands;
using EdgeVirt.Contracts.Protos;

namespace EdgeVirt.Cli.Interactive;

/// <summary>Carries the connections of one forwarded port, each in a channel of its own.</summary>
internal sealed class PortForwarder(Invocation invocation, string workload, ushort port)
{
    public const string Path = "portforward";

    private const int MostConnections = 48;

    /// <summary>Accepts until cancelled. A connection that fails is remarked upon and is no reason to stop.</summary>
    public async Task ServeAsync(TcpListener listener, CancellationToken ct)
    {
        using var room = new SemaphoreSlim(MostConnections);
        List<Task> connections = [];
        try
        {
            while (true)
            {
                await room.WaitAsync(ct);
                var socket = await listener.AcceptSocketAsync(ct);
                connections.RemoveAll(connection => connection.IsCompleted);
                connections.Add(ServeAsync(socket, room, ct));
            }
        }
        finally
        {
            await Task.WhenAll(connections).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task ServeAsync(Socket socket, SemaphoreSlim room, CancellationToken ct)
    {
        using var _ = socket;
        try
        {
            await Task.Yield();
            var open = new OpenChannel { PortForward = new PortForwardRequest { Workload = workload, Port = port } };
            await using var channel = await ChannelOptions.OpenAsync(invocation, workload, Path, open, ct);
            await CarryAsync(socket, channel, ct);
        }
        catch (CliException fault)
        {
            Abort(socket);
            invocation.Note($"a connection to {workload}:{port}: {fault.Message}");
        }
        catch (Exception fault) when (fault is IOException or SocketException or OperationCanceledException)
        {
            // The program at this end has gone, or we go.
            Abort(socket);
        }
        finally
        {
            room.Release();
        }
    }

    private static async Task CarryAsync(Socket socket, ClientChannel channel, CancellationToken ct)
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

    // A reset, so that the program here does not take a broken connection for one that ended in good order.
    private static void Abort(Socket socket)
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
