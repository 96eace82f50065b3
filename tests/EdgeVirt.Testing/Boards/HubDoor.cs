using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace EdgeVirt.Testing.Boards;

/// <summary>
/// A way to a hub's node port, by which a test sees how far a board is with its enrollment: it asks for the authority by its first connection and enrolls by its second. The answer to
/// that can be lost: nothing comes back but the server's part of the TLS handshake. All other connections are as any.
/// </summary>
public sealed class HubDoor : IAsyncDisposable
{
    private const int Enrolling = 2;

    private readonly CancellationTokenSource stop = new();
    private readonly TcpListener listener;
    private readonly IPEndPoint target;
    private readonly bool losesAnswer;
    private readonly List<Task> connections = [];
    private readonly Task accepting;

    /// <summary>Opens it on a free port.</summary>
    /// <param name="address">Where it listens: the hub's own, for the sake of its certificate.</param>
    /// <param name="hub">host:port of the hub.</param>
    /// <param name="losesAnswer">Whether the answer to the first enrollment is lost.</param>
    public HubDoor(IPAddress address, string hub, bool losesAnswer = false)
    {
        this.losesAnswer = losesAnswer;
        target = IPEndPoint.Parse(hub);
        listener = new TcpListener(address, 0);
        listener.Start();
        accepting = AcceptAsync();
    }

    /// <summary>host:port for the board.</summary>
    public string Address => string.Create(CultureInfo.InvariantCulture, $"{listener.LocalEndpoint}");

    /// <summary>How many there have been.</summary>
    public int Connections { get; private set; }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await stop.CancelAsync();
        listener.Stop();
        await accepting;
        await Task.WhenAll(connections);
        listener.Dispose();
        stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                var client = await listener.AcceptTcpClientAsync(stop.Token);
                connections.Add(ForwardAsync(client, isLost: ++Connections == Enrolling && losesAnswer));
            }
        }
        catch (Exception ended) when (ended is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // The test is over.
        }
    }

    private async Task ForwardAsync(TcpClient client, bool isLost)
    {
        using (client)
        using (var server = new TcpClient())
        {
            try
            {
                await server.ConnectAsync(target, stop.Token);
                var (up, down) = (client.GetStream(), server.GetStream());
                var (answered, asked) = (false, false);
                await Task.WhenAny(
                    PassAsync(up, down, () => (asked |= answered) || true),
                    PassAsync(down, up, () => (answered = true) && !(isLost && asked)));
            }
            catch (Exception ended) when (ended is OperationCanceledException or IOException or SocketException)
            {
                // One of the two ended.
            }
        }
    }

    // What does not pass is read all the same: nobody notices.
    private async Task PassAsync(NetworkStream from, NetworkStream to, Func<bool> passes)
    {
        var buffer = new byte[64 << 10];
        for (var read = await from.ReadAsync(buffer, stop.Token); read > 0; read = await from.ReadAsync(buffer, stop.Token))
        {
            if (passes())
            {
                await to.WriteAsync(buffer.AsMemory(0, read), stop.Token);
            }
        }
    }
}
