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
            await LocalConnection.CarryAsync(socket, channel, ct);
        }
        catch (CliException fault)
        {
            LocalConnection.Abort(socket);
            invocation.Note($"a connection to {workload}:{port}: {fault.Message}");
        }
        catch (Exception fault) when (fault is IOException or SocketException or OperationCanceledException)
        {
            // The program at this end has gone, or we go.
            LocalConnection.Abort(socket);
        }
        finally
        {
            room.Release();
        }
    }
}
