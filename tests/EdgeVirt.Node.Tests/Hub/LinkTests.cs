using System.Text;
using System.Text.Json;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Protos;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.Hub;
using EdgeVirt.Node.Tests.State;

namespace EdgeVirt.Node.Tests.Hub;

public sealed class LinkTests
{
    private FakeHub hub = null!;
    private NodeFixture node = null!;

    [SetUp]
    public async Task SetUp()
    {
        hub = await FakeHub.StartAsync();
        node = new NodeFixture(hub, hub.NewToken().Reveal());
        await node.StartAsync();
        await node.Get<MqttLink>().WhenConnectedAsync(Eventually.Token());
    }

    [TearDown]
    public async Task TearDown()
    {
        await node.DisposeAsync();
        await hub.DisposeAsync();
    }

    [Test]
    public async Task Says_that_it_is_there_and_again_as_a_heartbeat()
    {
        for (var i = 0; i < 2; i++)
        {
            var presence = Presence.Parser.ParseFrom(await hub.NextAsync(TopicChannel.Presence, Eventually.Token()));
            Assert.That(presence.Online, Is.True);
            Assert.That(presence.HeartbeatSeconds, Is.EqualTo(1));
        }
    }

    [Test]
    public async Task Reports_everything_first_and_then_what_changed()
    {
        var first = await NextStatusAsync();
        Assert.That(first.Full, Is.True);
        Assert.That(first.Objects.Single(o => o.Kind == "Node").Name, Is.EqualTo("node-1"));

        await node.Store.WriteObservedAsync(StateFixture.Observed("web"), default);
        var delta = await StatusWithAsync("web");
        Assert.Multiple(() =>
        {
            Assert.That(delta.Full, Is.False);
            Assert.That(delta.RunId, Is.EqualTo(first.RunId));
            Assert.That(delta.Sequence, Is.GreaterThan(first.Sequence));
            Assert.That(delta.Objects.Single(o => o.Name == "web").Uid, Is.EqualTo("uid-web"));
        });

        await node.Store.RemoveObservedAsync("web", default);
        Assert.That((await StatusWithAsync("web")).Objects.Single(o => o.Name == "web").Removed, Is.True);
    }

    [Test]
    public async Task Reports_everything_when_the_hub_asks()
    {
        await NextStatusAsync();
        await hub.PokeAsync("node-1", PokeReason.FullStatus);
        StatusReport report;
        do
        {
            report = await NextStatusAsync();
        }
        while (!report.Full);

        Assert.That(report.Objects.Single(o => o.Kind == "Node").StatusJson.IsEmpty, Is.False);
    }

    [Test]
    public async Task Fetches_the_desired_state_when_poked()
    {
        await hub.Hellos.Reader.ReadAsync(Eventually.Token());
        hub.Offer = (3, (StateFixture.Document(1) with { Node = "node-1" }).ToBytes());
        await hub.PokeAsync("node-1", PokeReason.DesiredState);
        Assert.That((await hub.Verdicts.Reader.ReadAsync(Eventually.Token())).Accepted, Is.True);
    }

    [Test]
    public async Task Comes_back_when_the_link_broke()
    {
        var report = await NextStatusAsync();
        await hub.DropClientsAsync();
        StatusReport again;
        do
        {
            again = await NextStatusAsync();
        }
        while (!again.Full || again.Sequence <= report.Sequence);

        Assert.That(hub.Clients, Has.Count.GreaterThanOrEqualTo(2));
    }

    [Test]
    public async Task Publishing_completes_when_the_hub_has_acknowledged()
    {
        await node.Get<IHubPublisher>().PublishAsync(TopicChannel.Telemetry, "batch"u8.ToArray(), default);
        Assert.That(Encoding.UTF8.GetString(await hub.NextAsync(TopicChannel.Telemetry, Eventually.Token())), Is.EqualTo("batch"));
    }

    [Test]
    public async Task Dials_a_tunnel_when_poked_and_answers_on_it()
    {
        await hub.PokeAsync("node-1", PokeReason.Tunnel);
        var tunnel = await hub.Tunnels.Reader.ReadAsync(Eventually.Token());
        await tunnel.ToNode.WriteAsync(new TunnelFrame { Channel = 1, Open = new OpenChannel { Window = 1 << 20, Status = new StatusQuery() } });
        await tunnel.ToNode.WriteAsync(new TunnelFrame { Channel = 2, Open = new OpenChannel { Window = 1 << 20, Enroll = new EnrollCommand() } });

        using var json = new MemoryStream();
        Dictionary<uint, CloseReason> closed = [];
        while (closed.Count < 2 && await tunnel.FromNode.MoveNext(Eventually.Token()))
        {
            var frame = tunnel.FromNode.Current;
            if (frame.KindCase == TunnelFrame.KindOneofCase.Data)
            {
                json.Write(frame.Data.Span);
            }
            else
            {
                closed[frame.Channel] = frame.Close.Reason;
            }
        }

        tunnel.HangUp.SetResult();
        Assert.That(closed[1], Is.EqualTo(CloseReason.Done));
        Assert.That(closed[2], Is.EqualTo(CloseReason.Unsupported), "nobody enrolls a node from afar");
        Assert.That(JsonSerializer.Deserialize(json.ToArray(), ContractsJson.Default.NodeStatus)!.Conditions.Select(c => c.Type), Does.Contain(ConditionTypes.StorageHealthy));
    }

    private async Task<StatusReport> NextStatusAsync() => StatusReport.Parser.ParseFrom(await hub.NextAsync(TopicChannel.Status, Eventually.Token()));

    private async Task<StatusReport> StatusWithAsync(string name)
    {
        while (true)
        {
            var report = await NextStatusAsync();
            if (report.Objects.Any(o => o.Name == name))
            {
                return report;
            }
        }
    }
}
