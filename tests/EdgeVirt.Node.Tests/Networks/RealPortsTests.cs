using System.Net;
using System.Net.Sockets;
using System.Text;
using EdgeVirt.Node.Networks;

namespace EdgeVirt.Node.Tests.Networks;

/// <summary>Real bridge and rules, in network namespaces of the test's own.</summary>
[Category("root")]
internal sealed class RealPortsTests
{
    private static readonly Forward Web = new("tcp", 8080, "", 80);

    [Test]
    public async Task No_connection_is_refused_while_a_port_moves()
    {
        const int Moves = 100;
        await using var net = await BridgedNamespaces.MakeAsync();
        var one = await net.AttachAsync("one", reserve: true, Web);
        var two = await net.AttachAsync("two", reserve: false, Web);
        var client = await net.AttachAsync("client", reserve: false);
        await using EchoListener first = new(net, one, 80), second = new(net, two, 80);

        using var done = new CancellationTokenSource();
        Task<int>[] callers = [CallAsync(null, "127.0.0.1"), CallAsync(null, "127.0.0.1"), CallAsync(client, net.Network.Gateway), CallAsync(client, net.Network.Gateway)];
        for (var i = 0; i < Moves; i++)
        {
            var (from, to) = i % 2 == 0 ? (one, two) : (two, one);
            Assert.That(await net.Network.MoveAsync(from, to, default), Is.Null);
            Assert.That(await net.AskAsync(client, net.Network.Gateway, 8080), Is.EqualTo(to.Id), "a new connection after the move");
        }

        await done.CancelAsync();
        var calls = (await Task.WhenAll(callers)).Sum();
        Assert.That(calls, Is.GreaterThan(Moves), "refused ones would have thrown");
        Assert.That(first.Connections + second.Connections, Is.EqualTo(calls + Moves));
        Assert.That((first.Connections, second.Connections), Is.GreaterThan((Moves / 2, Moves / 2)), "both were called");

        async Task<int> CallAsync(Attachment? place, string address)
        {
            var calls = 0;
            while (!done.IsCancellationRequested)
            {
                Assert.That(await net.AskAsync(place, address, 8080), Is.EqualTo("one").Or.EqualTo("two"));
                calls++;
            }

            return calls;
        }
    }

    [Test]
    public async Task What_moved_is_the_new_ones_and_goes_with_it_alone()
    {
        await using var net = await BridgedNamespaces.MakeAsync();
        var one = await net.AttachAsync("one", reserve: true, Web, Web with { HostPort = 9090 });
        var two = await net.AttachAsync("two", reserve: false, Web);
        var other = await net.AttachAsync("other", reserve: false, Web);
        await using EchoListener first = new(net, one, 80), second = new(net, two, 80);
        Assert.That(await net.Network.MoveAsync(one, two, default), Is.Null);
        Assert.That(await net.Network.MoveAsync(one, two, default), Is.Null, "again, as after a restart of the agent");
        Assert.That(await net.Network.MoveAsync(one, other, default), Is.EqualTo((other.Forwards[0], "two")), "it is not the first one's to give");
        Assert.That((await net.AskAsync(null, "127.0.0.1", 8080), await net.AskAsync(null, "127.0.0.1", 9090)), Is.EqualTo(("two", "one")));
        await net.DetachAsync(one);
        Assert.That(await net.AskAsync(null, "127.0.0.1", 8080), Is.EqualTo("two"), "the old one goes without what it gave away");
        Assert.That(() => net.AskAsync(null, "127.0.0.1", 9090), Throws.InstanceOf<SocketException>());
        Assert.That(net.Network.Reserve("new", [Web]), Is.EqualTo((Web, "two")));
        await net.DetachAsync(two);
        Assert.That(() => net.AskAsync(null, "127.0.0.1", 8080), Throws.InstanceOf<SocketException>());
    }

    [Test]
    public async Task A_sender_of_datagrams_is_led_to_the_new_one_at_once()
    {
        var forward = new Forward("udp", 5000, "", 80);
        await using var net = await BridgedNamespaces.MakeAsync();
        using var sender = net.NewSocket(null, ProtocolType.Udp);
        await sender.SendToAsync("early"u8.ToArray(), new IPEndPoint(IPAddress.Loopback, 5000));
        var one = await net.AttachAsync("one", reserve: true, forward);
        var two = await net.AttachAsync("two", reserve: false, forward);
        await using EchoListener first = new(net, one, 80), second = new(net, two, 80);
        Assert.That(await AskAsync(), Is.EqualTo("one"), "although it sent before anybody listened");
        Assert.That(await net.Network.MoveAsync(one, two, default), Is.Null);
        Assert.That(await AskAsync(), Is.EqualTo("two"));

        async Task<string> AskAsync()
        {
            using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(10));
            var buffer = new byte[100];
            await sender.SendToAsync("?"u8.ToArray(), new IPEndPoint(IPAddress.Loopback, 5000), limit.Token);
            while (true)
            {
                try
                {
                    return Encoding.ASCII.GetString(buffer, 0, await sender.ReceiveAsync(buffer, limit.Token));
                }
                catch (SocketException e) when (e.SocketErrorCode == SocketError.ConnectionRefused)
                {
                    // What the early one met.
                }
            }
        }
    }

    [Test]
    public async Task Ports_are_published_on_chosen_addresses_alone()
    {
        await using var net = await BridgedNamespaces.MakeAsync("10.7.0.1", "10.7.0.2");
        var loopback = await net.AttachAsync("loopback", reserve: true, Web with { HostAddress = "127.0.0.1" });
        var lan = await net.AttachAsync("lan", reserve: true, Web with { HostAddress = "10.7.0.1" }, Web with { HostAddress = "10.9.9.9" });
        await using EchoListener first = new(net, loopback, 80), second = new(net, lan, 80);
        Assert.That((await net.AskAsync(null, "127.0.0.1", 8080), await net.AskAsync(null, "10.7.0.1", 8080), await net.AskAsync(loopback, "10.7.0.1", 8080)), Is.EqualTo(("loopback", "lan", "lan")));
        Assert.That(() => net.AskAsync(null, "10.7.0.2", 8080), Throws.InstanceOf<SocketException>());
        Assert.That(() => net.AskAsync(lan, "127.0.0.1", 8080), Throws.InstanceOf<SocketException>(), "its own loopback is not the node's");
    }

    [Test]
    public async Task A_workload_reaches_itself_and_its_neighbour_by_the_nodes_port()
    {
        await using var net = await BridgedNamespaces.MakeAsync("10.7.0.1");
        var web = await net.AttachAsync("web", reserve: true, Web);
        var neighbour = await net.AttachAsync("neighbour", reserve: false);
        await using EchoListener listener = new(net, web, 80);
        foreach (var address in (string[])["10.7.0.1", net.Network.Gateway])
        {
            Assert.That((await net.AskAsync(web, address, 8080), await net.AskAsync(neighbour, address, 8080)), Is.EqualTo(("web", "web")), address);
        }
    }
}
