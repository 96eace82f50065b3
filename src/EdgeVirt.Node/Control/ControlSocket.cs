using System.Net.Sockets;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace EdgeVirt.Node.Control;

/// <summary>
/// <c>control.sock</c> in the run directory: the same channels as in the tunnel, for the CLI on the board. Mode 0600, so
/// only the agent's own user and root can reach it.
/// </summary>
internal sealed partial class ControlSocket(NodeOptions options, ChannelServer server, ILogger<ControlSocket> log) : BackgroundService
{
    private const int MostClients = 64;

    private readonly string path = Path.Combine(options.RunDir, "control.sock");
    private readonly SemaphoreSlim room = new(MostClients);

    /// <inheritdoc/>
    public override void Dispose()
    {
        room.Dispose();
        base.Dispose();
    }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var socket = Listen();
        List<Task> clients = [];
        try
        {
            while (true)
            {
                await room.WaitAsync(stoppingToken);
                var client = await socket.AcceptAsync(stoppingToken);
                clients.RemoveAll(task => task.IsCompleted);
                clients.Add(ServeAsync(client, stoppingToken));
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
        }
        finally
        {
            await Task.WhenAll(clients);
            File.Delete(path);
        }
    }

    // Bound under another name first, so that it never has a wider mode under its own.
    private Socket Listen()
    {
        Directory.CreateDirectory(options.RunDir);
        var hidden = path + ".new";
        File.Delete(hidden);
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        socket.Bind(new UnixDomainSocketEndPoint(hidden));
        File.SetUnixFileMode(hidden, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        socket.Listen(MostClients);
        File.Move(hidden, path, overwrite: true);
        return socket;
    }

    private async Task ServeAsync(Socket client, CancellationToken ct)
    {
        try
        {
            await Task.Yield();
            await using var stream = new NetworkStream(client, ownsSocket: true);
            await server.ServeAsync(new SocketFrames(stream), isLocal: true, idle: null, ct);
        }
        catch (Exception e) when (e is InvalidDataException or IOException or OperationCanceledException)
        {
            LogEnded(e.Message);
        }
        finally
        {
            room.Release();
        }
    }

    [LoggerMessage(Level = LogLevel.Debug, Message = "A client of the control socket was dropped: {Reason}")]
    private partial void LogEnded(string reason);
}
