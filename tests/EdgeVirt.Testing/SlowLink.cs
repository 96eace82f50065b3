using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace EdgeVirt.Testing;

/// <summary>A thin link to a server: forwards TCP, so many bytes a second come back in all, and it counts them.</summary>
public sealed class SlowLink : IAsyncDisposable
{
    private const int Piece = 8 << 10;
    private readonly CancellationTokenSource stop = new();
    private readonly SemaphoreSlim turn = new(1, 1);
    private readonly List<Task> connections = [];
    private readonly TcpListener listener;
    private readonly IPEndPoint target;
    private readonly Task accepting;
    private long rate;
    private long returned;

    /// <summary>Opens it on a free port.</summary>
    /// <param name="address">Where it listens.</param>
    /// <param name="target">The server, by its address.</param>
    /// <param name="bytesPerSecond">What comes back at most.</param>
    public SlowLink(IPAddress address, Uri target, long bytesPerSecond)
    {
        this.target = new IPEndPoint(IPAddress.Parse(target.Host), target.Port);
        rate = bytesPerSecond;
        listener = new TcpListener(address, 0);
        listener.Start();
        accepting = AcceptAsync();
    }

    /// <summary>Where it listens, http.</summary>
    public Uri Url => new(string.Create(CultureInfo.InvariantCulture, $"http://{listener.LocalEndpoint}"));

    /// <summary>All that came back through it, headers too.</summary>
    public long BytesReturned => Interlocked.Read(ref returned);

    /// <summary>From now on as fast as it goes.</summary>
    public void Widen() => Interlocked.Exchange(ref rate, long.MaxValue);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await stop.CancelAsync();
        listener.Stop();
        await accepting;
        await Task.WhenAll(connections);
        listener.Dispose();
        turn.Dispose();
        stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                connections.Add(ForwardAsync(await listener.AcceptTcpClientAsync(stop.Token)));
            }
        }
        catch (Exception ended) when (ended is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // The test is over.
        }
    }

    private async Task ForwardAsync(TcpClient client)
    {
        using (client)
        using (var server = new TcpClient())
        {
            try
            {
                await server.ConnectAsync(target, stop.Token);
                await Task.WhenAny(client.GetStream().CopyToAsync(server.GetStream(), stop.Token), ReturnAsync(server.GetStream(), client.GetStream()));
            }
            catch (Exception ended) when (ended is OperationCanceledException or IOException or SocketException)
            {
                // One of the two ended.
            }
        }
    }

    private async Task ReturnAsync(NetworkStream from, NetworkStream to)
    {
        var buffer = new byte[Piece];
        for (var read = await from.ReadAsync(buffer, stop.Token); read > 0; read = await from.ReadAsync(buffer, stop.Token))
        {
            await turn.WaitAsync(stop.Token);
            try
            {
                await to.WriteAsync(buffer.AsMemory(0, read), stop.Token);
                Interlocked.Add(ref returned, read);
                await Task.Delay(TimeSpan.FromSeconds((double)read / Interlocked.Read(ref rate)), stop.Token);
            }
            finally
            {
                turn.Release();
            }
        }
    }
}
