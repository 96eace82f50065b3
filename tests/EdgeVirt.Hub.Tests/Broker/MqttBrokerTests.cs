using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Protos;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Hub.Broker;
using EdgeVirt.Hub.Enrollment;
using Google.Protobuf;
using MQTTnet;
using MQTTnet.Exceptions;
using MQTTnet.Formatter;
using MQTTnet.Protocol;

namespace EdgeVirt.Hub.Tests.Broker;

internal sealed class MqttBrokerTests
{
    private NodeHub hub = null!;
    private NodeClient node = null!;

    [SetUp]
    public async Task SetUp()
    {
        hub = await NodeHub.StartAsync();
        node = await hub.EnrollAsync("n1");
    }

    [TearDown]
    public async Task TearDown()
    {
        await node.DisposeAsync();
        await hub.DisposeAsync();
    }

    [Test]
    public async Task Acknowledges_only_what_is_stored()
    {
        var (client, _) = await node.ConnectAsync();
        hub.Telemetry.Hold();

        var publishing = node.PublishAsync(client, TopicChannel.Telemetry, [1]);
        await hub.Telemetry.Waiting.Task.WaitAsync(TimeSpan.FromSeconds(10));
        Assert.That(publishing.IsCompleted, Is.False);
        hub.Telemetry.Release();

        Assert.That((await publishing).IsSuccess);
        Assert.That(hub.Telemetry.Stored, Is.EqualTo(["n1"]));
    }

    [Test]
    public async Task Tells_the_node_when_storing_failed_and_takes_the_message_later()
    {
        var (client, _) = await node.ConnectAsync();
        hub.Telemetry.Failure = new IOException("disk full");

        var failed = await node.PublishAsync(client, TopicChannel.Telemetry, [1]);
        Assert.That(failed.IsSuccess, Is.False);
        Assert.That(failed.ReasonCode, Is.EqualTo(MqttClientPublishReasonCode.UnspecifiedError));
        Assert.That(client.IsConnected);

        hub.Telemetry.Failure = null;
        Assert.That((await node.PublishAsync(client, TopicChannel.Telemetry, [1])).IsSuccess);
    }

    [Test]
    public async Task Refuses_what_cannot_be_read_for_good()
    {
        var (client, _) = await node.ConnectAsync();

        var refused = await node.PublishAsync(client, TopicChannel.Status, [0xFF, 0xFF, 0xFF]);

        Assert.That(refused.ReasonCode, Is.EqualTo(MqttClientPublishReasonCode.PayloadFormatInvalid));
        Assert.That((await hub.RefusalsAsync())[0].Actor, Is.EqualTo("node/n1"));
    }

    [Test]
    public async Task Does_not_let_a_slow_node_hold_up_another()
    {
        await using var other = await hub.EnrollAsync("n2");
        var (slow, _) = await node.ConnectAsync();
        var (quick, _) = await other.ConnectAsync();
        hub.Telemetry.Held = "n1";
        hub.Telemetry.Hold();

        var held = node.PublishAsync(slow, TopicChannel.Telemetry, [1]);
        await hub.Telemetry.Waiting.Task.WaitAsync(TimeSpan.FromSeconds(10));

        Assert.That((await other.PublishAsync(quick, TopicChannel.Telemetry, [1])).IsSuccess);
        Assert.That(held.IsCompleted, Is.False);
        hub.Telemetry.Release();
        Assert.That((await held).IsSuccess);
    }

    [TestCase("edgevirt/v1/n2/up/telemetry")]
    [TestCase("edgevirt/v1/n1/down/poke")]
    [TestCase("edgevirt/v1/n1/up/other")]
    [TestCase("$SYS/broker")]
    public async Task Cuts_off_and_records_a_node_that_publishes_beyond_its_own_topics(string topic)
    {
        var (client, _) = await node.ConnectAsync();
        var gone = NodeClient.DisconnectionOf(client);

        await client.PublishAsync(new MqttApplicationMessageBuilder().WithTopic(topic).WithPayload([1]).Build());

        Assert.That((await gone).Reason, Is.EqualTo(MqttClientDisconnectReason.NotAuthorized));
        var entry = (await hub.RefusalsAsync())[0];
        Assert.That((entry.Actor, entry.Action), Is.EqualTo(("node/n1", "mqtt publish")));
        Assert.That(entry.Reason, Does.Contain(topic));
        Assert.That(hub.Telemetry.Stored, Is.Empty);
    }

    [Test]
    public async Task Cuts_off_a_node_that_listens_beyond_its_own_topics()
    {
        var (client, _) = await node.ConnectAsync();
        var gone = NodeClient.DisconnectionOf(client);

        try
        {
            await client.SubscribeAsync(Topic.DownstreamFilter("n2"));
        }
        catch (MqttCommunicationException)
        {
            // The answer and the end of the connection race.
        }

        await gone;
        Assert.That((await hub.RefusalsAsync())[0].Action, Is.EqualTo("mqtt subscribe"));
    }

    [Test]
    public async Task Cuts_off_a_node_that_retains_or_sends_too_much()
    {
        var (retaining, _) = await node.ConnectAsync();
        var gone = NodeClient.DisconnectionOf(retaining);
        await retaining.PublishAsync(new MqttApplicationMessageBuilder()
            .WithTopic(new Topic("n1", TopicChannel.Telemetry).ToString()).WithPayload([1]).WithRetainFlag().Build());
        Assert.That((await gone).Reason, Is.EqualTo(MqttClientDisconnectReason.RetainNotSupported));

        var (large, _) = await node.ConnectAsync();
        gone = NodeClient.DisconnectionOf(large);
        await node.PublishAsync(large, TopicChannel.Telemetry, new byte[UpstreamMessages.MaxPayloadBytes + 1], quality: MqttQualityOfServiceLevel.AtMostOnce);
        Assert.That((await gone).Reason, Is.EqualTo(MqttClientDisconnectReason.PacketTooLarge));
        Assert.That(hub.Telemetry.Stored, Is.Empty);
    }

    [Test]
    public async Task Says_what_it_serves_when_a_node_connects()
    {
        var (client, result) = await node.ConnectAsync();

        Assert.That(result.ResultCode, Is.EqualTo(MqttClientConnectResultCode.Success));
        Assert.That(result.MaximumQoS, Is.EqualTo(MqttQualityOfServiceLevel.AtLeastOnce));
        Assert.That(result.RetainAvailable, Is.False);
        Assert.That(client.IsConnected);
    }

    [Test]
    public async Task Refuses_other_names_kept_sessions_older_protocols_and_expired_certificates()
    {
        Assert.That((await RefusalAsync("n2", null)), Does.Contain("client id"));
        Assert.That((await RefusalAsync(null, options => options.WithSessionExpiryInterval(60))), Does.Contain("clean sessions"));
        Assert.That((await RefusalAsync(null, options => options.WithProtocolVersion(MqttProtocolVersion.V311))), Does.Contain("MQTT 5"));
        hub.Time.Advance(TimeSpan.FromDays(31));
        Assert.That((await RefusalAsync(null, null)), Does.Contain("expired"));
    }

    [Test]
    public async Task Speaks_to_nobody_without_a_certificate_of_this_hub()
    {
        await using var stranger = new NodeClient(hub);
        await NodeHub.FailureAsync<MqttCommunicationException>(() => stranger.ConnectAsync("n1"));
        Assert.That(hub.Get<EdgeVirt.Hub.Nodes.NodePresence>().IsOnline("n1"), Is.False);
    }

    [Test]
    public async Task Cuts_off_a_node_at_once_when_it_is_revoked()
    {
        var (client, _) = await node.ConnectAsync();
        var gone = NodeClient.DisconnectionOf(client);

        await hub.Get<NodeIdentities>().RevokeAsync("n1", "test", CancellationToken.None);

        Assert.That((await gone).Reason, Is.EqualTo(MqttClientDisconnectReason.NotAuthorized));
        Assert.That(await RefusalAsync(null, null), Does.Contain("revoked"));
    }

    [Test]
    public async Task Pokes_a_node_through_its_session()
    {
        var (client, _) = await node.ConnectAsync();
        var poked = new TaskCompletionSource<Poke>();
        client.ApplicationMessageReceivedAsync += args =>
        {
            poked.TrySetResult(Poke.Parser.ParseFrom(args.ApplicationMessage.Payload));
            return Task.CompletedTask;
        };
        await client.SubscribeAsync(Topic.DownstreamFilter("n1"));

        Assert.That(await hub.Get<NodePokes>().PokeAsync("n1", PokeReason.FullStatus));
        Assert.That((await poked.Task.WaitAsync(TimeSpan.FromSeconds(10))).Reason, Is.EqualTo(PokeReason.FullStatus));
        Assert.That(await hub.Get<NodePokes>().PokeAsync("nobody", PokeReason.FullStatus), Is.False);
    }

    [Test]
    public async Task Writes_presence_when_a_node_comes_falls_silent_and_goes()
    {
        var (client, _) = await node.ConnectAsync();
        await ReadyAsync(ReadyReasons.Ready);
        Assert.That((await hub.StatusAsync("n1")).LastSeen, Is.EqualTo(hub.Time.GetUtcNow()));

        hub.Time.Advance(TimeSpan.FromMinutes(2));
        await ReadyAsync(ReadyReasons.HeartbeatMissed, TimeSpan.FromSeconds(1));

        await node.PublishAsync(client, TopicChannel.Presence, new Presence { Online = true, HeartbeatSeconds = 30 }.ToByteArray());
        await ReadyAsync(ReadyReasons.Ready);

        await client.DisconnectAsync();
        await ReadyAsync(ReadyReasons.NodeOffline);
    }

    private Task ReadyAsync(string reason, TimeSpan step = default) => NodeHub.EventuallyAsync(
        async () =>
        {
            hub.Time.Advance(step);
            return (await hub.StatusAsync("n1")).Conditions.Single(condition => condition.Type == ConditionTypes.Ready).Reason == reason;
        },
        reason);

    private async Task<string> RefusalAsync(string? clientId, Action<MqttClientOptionsBuilder>? change)
    {
        try
        {
            var (client, result) = await node.ConnectAsync(clientId, change);
            Assert.That(result.ResultCode, Is.Not.EqualTo(MqttClientConnectResultCode.Success));
            Assert.That(client.IsConnected, Is.False);
        }
        catch (MqttCommunicationException)
        {
            // How the client library says it, by version of the protocol.
        }

        return (await hub.RefusalsAsync())[0].Reason;
    }
}
