using System.Net;
using System.Net.Sockets;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Linux;
using EdgeVirt.Node.Networks;
using EdgeVirt.Node.Networks.Names;
using EdgeVirt.Node.State;
using EdgeVirt.Node.Tests.Hub;
using EdgeVirt.Node.Tests.State;

namespace EdgeVirt.Node.Tests.Networks.Names;

/// <summary>The real dnsmasq on a bridge in a network namespace of the test's own.</summary>
[Category("root")]
internal sealed class RealNamesTests
{
    private static readonly UnixFileMode Searchable = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.OtherExecute;

    private StateFixture state = null!;
    private NodeStore store = null!;
    private BridgedNamespaces net = null!;
    private Attachment client = null!;
    private NameServer server = null!;
    private NamesReconciler reconciler = null!;
    private NodeConditions conditions = null!;
    private string resolvConf = null!;

    private string PidFile => Path.Combine(net.Options.RunDir, "names", "dnsmasq.pid");

    [SetUp]
    public async Task SetUp()
    {
        Assert.That(NameServer.IsInstalled, Is.True, "install dnsmasq-base");
        state = new StateFixture();
        store = state.Open();
        net = await BridgedNamespaces.MakeAsync("10.7.0.1", "10.7.0.2");
        File.SetUnixFileMode(Path.GetDirectoryName(net.Host)!, Searchable);
        client = await net.AttachAsync("client", reserve: false);
        resolvConf = Path.Combine(Directory.CreateDirectory(Path.Combine(Path.GetDirectoryName(net.Host)!, "etc")).FullName, "resolv.conf");
        File.WriteAllText(resolvConf, "");
        NewAgent();
    }

    [TearDown]
    public async Task TearDown()
    {
        await server.RemoveAsync(default);
        await net.DisposeAsync();
        await store.DisposeAsync();
        state.Dispose();
    }

    [Test]
    public async Task Ready_workloads_have_names_and_others_have_none()
    {
        await SeeAsync(NameZoneTests.Seen("web", "10.88.0.9"), NameZoneTests.Seen("late", "10.88.0.8", ready: false), NameZoneTests.Seen("camera", null));
        Assert.That(await AskAsync("web.edgevirt.internal"), Is.EqualTo(new DnsAnswer(DnsAnswer.NoError, "10.88.0.9", 1)));
        Assert.That(await AskAsync("WEB.edgevirt.INTERNAL"), Has.Property("Addresses").EqualTo("10.88.0.9"));
        Assert.That(await AskAsync("web.edgevirt.internal", DnsAnswer.Aaaa), Is.EqualTo(new DnsAnswer(DnsAnswer.NoError, "", 0)), "there is one, but not of that kind");
        Assert.That(await AskAsync("camera.edgevirt.internal"), Has.Property("Addresses").EqualTo(net.Network.Gateway), "on the node's own network");
        Assert.That(await AskAsync("late.edgevirt.internal"), Is.EqualTo(new DnsAnswer(DnsAnswer.NoSuchName, "", 0)));
        Assert.That(await AskAsync("nobody.edgevirt.internal"), Is.EqualTo(new DnsAnswer(DnsAnswer.NoSuchName, "", 0)));
        Assert.That(await DnsAnswer.AskAsync(net, null, "web.edgevirt.internal"), Has.Property("Addresses").EqualTo("10.88.0.9"), "on the node itself");
        Assert.That(conditions.Read(), Has.One.Matches<Condition>(condition => condition is { Type: ConditionTypes.NamesServed, Status: ConditionStatus.True }));

        await SeeAsync(NameZoneTests.Seen("web", "10.88.0.7"), NameZoneTests.Seen("late", "10.88.0.8"), NameZoneTests.Seen("camera", null, ready: false));
        await UntilAsync("web.edgevirt.internal", new DnsAnswer(DnsAnswer.NoError, "10.88.0.7", 1));
        await UntilAsync("late.edgevirt.internal", new DnsAnswer(DnsAnswer.NoError, "10.88.0.8", 1));
        await UntilAsync("camera.edgevirt.internal", new DnsAnswer(DnsAnswer.NoSuchName, "", 0));
    }

    [Test]
    public async Task Everything_else_is_asked_of_the_nodes_resolvers_of_the_moment()
    {
        using var end = new CancellationTokenSource();
        using Socket first = Upstream("10.7.0.1", "192.0.2.1", end.Token), second = Upstream("10.7.0.2", "192.0.2.2", end.Token);
        await SeeAsync(NameZoneTests.Seen("web", "10.88.0.9"));
        Assert.That(await AskAsync("one.example.com"), Is.EqualTo(new DnsAnswer(DnsAnswer.Refused, "", 0)), "without an uplink it is said at once");
        Assert.That(await AskAsync("web.edgevirt.internal"), Has.Property("Addresses").EqualTo("10.88.0.9"), "and names go on");

        File.WriteAllText(resolvConf, "nameserver 10.7.0.1\n");
        await UntilAsync("two.example.com", new DnsAnswer(DnsAnswer.NoError, "192.0.2.1", 60));
        // As who manages links does it.
        File.WriteAllText(resolvConf + ".new", "nameserver 10.7.0.2\n");
        File.Move(resolvConf + ".new", resolvConf, overwrite: true);
        await Eventually.HoldsAsync(
            () => AskAsync($"{Guid.NewGuid():N}.example.com").GetAwaiter().GetResult()?.Addresses == "192.0.2.2", "an answer of the new resolver");
        Assert.That(await AskAsync("nobody.edgevirt.internal"), Has.Property("Code").EqualTo(DnsAnswer.NoSuchName), "our own are asked of nobody");
        await end.CancelAsync();
    }

    [Test]
    public async Task It_outlives_the_agent_comes_back_when_it_is_killed_and_goes_with_the_last_workload()
    {
        await SeeAsync(NameZoneTests.Seen("web", "10.88.0.9"));
        var pid = File.ReadAllText(PidFile);
        NewAgent();
        Assert.That(await AskAsync("web.edgevirt.internal"), Has.Property("Addresses").EqualTo("10.88.0.9"), "while no agent looks after it");
        await reconciler.ReconcileAsync(default);
        Assert.That(File.ReadAllText(PidFile), Is.EqualTo(pid), "adopted, not started again");

        var process = Processes.Identify(int.Parse(pid))!;
        Processes.Signal(process, 9);
        await Eventually.HoldsAsync(() => !Processes.IsAlive(process), "its end");
        await reconciler.ReconcileAsync(default);
        Assert.That(await AskAsync("web.edgevirt.internal"), Has.Property("Addresses").EqualTo("10.88.0.9"));

        var successor = Processes.Identify(int.Parse(File.ReadAllText(PidFile)))!;
        File.Delete(PidFile);
        await reconciler.ReconcileAsync(default);
        Assert.That(await AskAsync("web.edgevirt.internal"), Has.Property("Addresses").EqualTo("10.88.0.9"), "found although its pid file is gone");
        Assert.That(Processes.IsAlive(successor), Is.False, "there is one of them");

        await store.RemoveObservedAsync("web", default);
        Assert.That(await reconciler.ReconcileAsync(default), Is.GreaterThan(TimeSpan.Zero), "a workload may be between two versions");
        await Eventually.HoldsAsync(() => reconciler.ReconcileAsync(default).AsTask().GetAwaiter().GetResult() is null, "the end");
        Assert.That(Directory.Exists(Path.GetDirectoryName(PidFile)), Is.False);
        Assert.That(Processes.List().Where(other => other.Arguments.Contains($"--pid-file={PidFile}")), Is.Empty);
    }

    [Test]
    public async Task What_is_no_question_does_it_no_harm()
    {
        await SeeAsync(NameZoneTests.Seen("web", "10.88.0.9"));
        var pid = File.ReadAllText(PidFile);
        var random = new Random(1);
        using var socket = net.NewSocket(client, ProtocolType.Udp);
        var place = new IPEndPoint(IPAddress.Parse(net.Network.Gateway), 53);
        byte[][] hostile =
        [
            [], [0], new byte[12], [0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0xc0, 12, 0, 1, 0, 1],
            [0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0xc0, 14, 0xc0, 12, 0, 1, 0, 1],
            [0x12, 0x34, 1, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, .. new byte[9000]],
            DnsAnswer.Query(string.Join('.', Enumerable.Repeat(new string('x', 63), 60)), DnsAnswer.A),
        ];
        foreach (var bytes in hostile)
        {
            await socket.SendToAsync(bytes, place);
        }

        for (var i = 0; i < 2000; i++)
        {
            var bytes = i % 2 == 0 ? new byte[random.Next(600)] : DnsAnswer.Query("web.edgevirt.internal", DnsAnswer.A);
            random.NextBytes(i % 2 == 0 ? bytes : bytes.AsSpan(random.Next(bytes.Length)));
            await socket.SendToAsync(bytes, place);
        }

        using var stream = net.NewSocket(client, ProtocolType.Tcp);
        await stream.ConnectAsync(place);
        await stream.SendAsync(new byte[] { 0xff, 0xff, 1, 2, 3 });
        Assert.That(await AskAsync("web.edgevirt.internal"), Has.Property("Addresses").EqualTo("10.88.0.9"));
        Assert.That(File.ReadAllText(PidFile), Is.EqualTo(pid));
        Assert.That(Processes.IsAlive(Processes.Identify(int.Parse(pid))!), Is.True);
    }

    [Test]
    public async Task It_answers_on_the_bridge_alone_and_leaves_port_53_to_others()
    {
        var outside = await net.AttachOutsideAsync();
        await SeeAsync(NameZoneTests.Seen("web", "10.88.0.9"));
        var soon = TimeSpan.FromMilliseconds(300);
        Assert.That(await DnsAnswer.AskAsync(net, outside, "web.edgevirt.internal", patience: soon), Is.Null);
        Assert.That(await DnsAnswer.AskAsync(net, outside, "web.edgevirt.internal", port: FirewallRules.NamesPort, patience: soon), Is.Null);

        using var own = net.NewSocket(null, ProtocolType.Udp);
        own.Bind(new IPEndPoint(IPAddress.Any, 53));
        var resolver = await net.AttachAsync("resolver", reserve: true, new Forward("udp", 53, "", 80));
        await using var echo = new EchoListener(net, resolver, 80);
        Assert.That(await AskAsync("web.edgevirt.internal"), Has.Property("Addresses").EqualTo("10.88.0.9"), "although a workload publishes port 53");
    }

    private void NewAgent()
    {
        server = new NameServer(net.Options, net.Network, new Cgroups(), new NameServerGroup("/edgevirt/test"), TimeProvider.System, resolvConf);
        conditions = new NodeConditions(TimeProvider.System);
        reconciler = new NamesReconciler(store, net.Network, server, conditions, TimeProvider.System);
    }

    private async Task SeeAsync(params ObservedWorkload[] workloads)
    {
        foreach (var workload in workloads)
        {
            await store.WriteObservedAsync(workload, default);
        }

        await reconciler.ReconcileAsync(default);
    }

    private Task<DnsAnswer?> AskAsync(string name, ushort type = DnsAnswer.A) => DnsAnswer.AskAsync(net, client, name, type);

    private Task UntilAsync(string name, DnsAnswer answer) => Eventually.HoldsAsync(() => AskAsync(name).GetAwaiter().GetResult() == answer, $"{answer} for {name}");

    private Socket Upstream(string address, string answer, CancellationToken ct)
    {
        var socket = net.NewSocket(null, ProtocolType.Udp);
        socket.Bind(new IPEndPoint(IPAddress.Parse(address), 53));
        _ = Task.Run(async () =>
        {
            var buffer = new byte[4096];
            while (true)
            {
                var received = await socket.ReceiveFromAsync(buffer, new IPEndPoint(IPAddress.Any, 0), ct);
                await socket.SendToAsync(DnsAnswer.AnswerTo(buffer.AsSpan(0, received.ReceivedBytes), answer), received.RemoteEndPoint, ct);
            }
        }, CancellationToken.None);
        return socket;
    }
}
