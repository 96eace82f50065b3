using System.Net;
using System.Net.Sockets;

namespace EdgeVirt.Node.Tests.Fuzz;

/// <summary>Answers each connection's request on the loopback with bytes that need be no HTTP, and closes it.</summary>
internal sealed class RawServer : IDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _serving;

    public RawServer()
    {
        _listener.Start();
        Port = ((IPEndPoint)_listener.LocalEndpoint).Port;
        _serving = ServeAsync(_stop.Token);
    }

    public int Port { get; }

    public byte[] Answer { get; set; } = [];

    public void Dispose()
    {
        _stop.Cancel();
        _serving.GetAwaiter().GetResult();
        _listener.Dispose();
        _stop.Dispose();
    }

    private async Task ServeAsync(CancellationToken ct)
    {
        var buffer = new byte[16 << 10];
        while (!ct.IsCancellationRequested)
        {
            try
            {
                using var client = await _listener.AcceptSocketAsync(ct);
                var filled = 0;
                while (filled < buffer.Length && !buffer.AsSpan(0, filled).EndsWith("\r\n\r\n"u8) && await client.ReceiveAsync(buffer.AsMemory(filled), ct) is > 0 and var read)
                {
                    filled += read;
                }

                await client.SendAsync(Answer, ct);
                client.Shutdown(SocketShutdown.Send);
            }
            catch (Exception gone) when (gone is SocketException or OperationCanceledException)
            {
                // The client has hung up, or the test is over.
            }
        }
    }
}
