using System.Net;
using System.Net.Sockets;
using EdgeVirt.Node.Networks;

namespace EdgeVirt.Node.Tests.Networks;

/// <summary>Says its name to whoever comes, by TCP or UDP.</summary>
internal sealed class EchoListener : IAsyncDisposable
{
    private readonly CancellationTokenSource end = new();
    private readonly byte[] name;
    private readonly Socket tcp;
    private readonly Socket udp;
    private readonly Task serving;
    private int connections;

    public EchoListener(BridgedNamespaces net, Attachment place, int port)
    {
        name = System.Text.Encoding.ASCII.GetBytes(place.Id);
        (tcp, udp) = (net.NewSocket(place, ProtocolType.Tcp), net.NewSocket(place, ProtocolType.Udp));
        tcp.Bind(new IPEndPoint(IPAddress.Any, port));
        tcp.Listen(1024);
        udp.Bind(new IPEndPoint(IPAddress.Any, port));
        serving = Task.WhenAll(Task.Run(AcceptAsync), Task.Run(ReceiveAsync));
    }

    /// <summary>How many came by TCP.</summary>
    public int Connections => connections;

    public async ValueTask DisposeAsync()
    {
        await end.CancelAsync();
        await serving.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        tcp.Dispose();
        udp.Dispose();
        end.Dispose();
    }

    private async Task AcceptAsync()
    {
        while (true)
        {
            using var client = await tcp.AcceptAsync(end.Token);
            Interlocked.Increment(ref connections);
            await client.SendAsync(name, end.Token);
            client.Shutdown(SocketShutdown.Send);
        }
    }

    private async Task ReceiveAsync()
    {
        var buffer = new byte[2000];
        while (true)
        {
            var received = await udp.ReceiveFromAsync(buffer, new IPEndPoint(IPAddress.Any, 0), end.Token);
            await udp.SendToAsync(name, received.RemoteEndPoint, end.Token);
        }
    }
}
