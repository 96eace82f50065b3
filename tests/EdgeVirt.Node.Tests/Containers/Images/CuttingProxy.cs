using System.Net;
using System.Net.Sockets;
using System.Text;

namespace EdgeVirt.Node.Tests.Containers.Images;

/// <summary>A bad link: forwards TCP to a port and cuts each connection once so many bytes came back on it.</summary>
internal sealed class CuttingProxy : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly List<Task> _connections = [];
    private readonly List<string> _requests = [];
    private readonly Task _accepting;
    private readonly int _target;
    private readonly long _cutAfter;
    private int _cuts;
    private int _open;
    private long _returned;

    public CuttingProxy(int target, long cutAfter)
    {
        (_target, _cutAfter) = (target, cutAfter);
        _listener.Start();
        _accepting = AcceptAsync();
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    public int Cuts => Volatile.Read(ref _cuts);

    public long BytesReturned => Interlocked.Read(ref _returned);

    /// <summary>Most connections that were open at one time.</summary>
    public int MostOpen { get; private set; }

    /// <summary>Told the number of each cut before the other side sees it.</summary>
    public Action<int>? OnCut { get; init; }

    /// <summary>What was asked, headers and all.</summary>
    public IReadOnlyList<string> Requests
    {
        get
        {
            lock (_requests)
            {
                return [.. _requests];
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Stop();
        await _accepting;
        await Task.WhenAll(_connections);
        _stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                _connections.Add(ForwardAsync(await _listener.AcceptTcpClientAsync(_stop.Token)));
            }
        }
        catch (Exception ended) when (ended is OperationCanceledException or SocketException)
        {
        }
    }

    private async Task ForwardAsync(TcpClient client)
    {
        using (client)
        using (var server = new TcpClient())
        {
            try
            {
                MostOpen = Math.Max(MostOpen, Interlocked.Increment(ref _open));
                await server.ConnectAsync(IPAddress.Loopback, _target, _stop.Token);
                await Task.WhenAny(UpAsync(client.GetStream(), server.GetStream()), DownAsync(server.GetStream(), client.GetStream()));
            }
            catch (Exception ended) when (ended is OperationCanceledException or IOException or SocketException)
            {
            }
            finally
            {
                Interlocked.Decrement(ref _open);
            }
        }
    }

    private async Task UpAsync(NetworkStream from, NetworkStream to)
    {
        var buffer = new byte[16 << 10];
        for (var read = await from.ReadAsync(buffer, _stop.Token); read > 0; read = await from.ReadAsync(buffer, _stop.Token))
        {
            lock (_requests)
            {
                _requests.Add(Encoding.ASCII.GetString(buffer, 0, read));
            }

            await to.WriteAsync(buffer.AsMemory(0, read), _stop.Token);
        }
    }

    private async Task DownAsync(NetworkStream from, NetworkStream to)
    {
        var buffer = new byte[16 << 10];
        long returned = 0;
        for (var read = await from.ReadAsync(buffer, _stop.Token); read > 0; read = await from.ReadAsync(buffer, _stop.Token))
        {
            var allowed = (int)Math.Min(read, _cutAfter - returned);
            await to.WriteAsync(buffer.AsMemory(0, allowed), _stop.Token);
            returned += allowed;
            Interlocked.Add(ref _returned, allowed);
            if (returned >= _cutAfter)
            {
                var number = Interlocked.Increment(ref _cuts);
                OnCut?.Invoke(number);
                return;
            }
        }
    }
}
