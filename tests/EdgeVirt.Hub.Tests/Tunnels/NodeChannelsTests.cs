using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Protos;
using EdgeVirt.Hub.Enrollment;
using EdgeVirt.Hub.Tunnels;
using Google.Protobuf;
using Grpc.Core;
using MQTTnet;

namespace EdgeVirt.Hub.Tests.Tunnels;

internal sealed class NodeChannelsTests
{
    private static readonly OpenChannel Logs = new() { Logs = new LogsRequest { Workload = "web" } };

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
    public async Task Pokes_the_node_and_carries_several_channels_in_its_one_stream()
    {
        var poked = await SubscribeAsync();
        var opening = hub.Get<NodeChannels>().OpenAsync("n1", Logs, CancellationToken.None);
        Assert.That(await poked.WaitAsync(TimeSpan.FromSeconds(10)), Is.EqualTo(PokeReason.Tunnel));
        using var stream = node.Tunnel.Connect();
        var first = await NextAsync(stream);
        await using var one = await opening;
        await using var two = await hub.Get<NodeChannels>().OpenAsync("n1", Logs, CancellationToken.None);
        var second = await NextAsync(stream);
        Assert.That(first.Open.Logs.Workload, Is.EqualTo("web"));
        Assert.That(second.Channel, Is.Not.EqualTo(first.Channel));

        await SendAsync(stream, second.Channel, "two");
        await SendAsync(stream, first.Channel, "one");
        await CloseAsync(stream, first.Channel, CloseReason.Done);
        await CloseAsync(stream, second.Channel, CloseReason.NotFound);

        Assert.That(await TextAsync(one), Is.EqualTo("one"));
        Assert.That(await TextAsync(two), Is.EqualTo("two"));
        Assert.That(two.Closed!.Reason, Is.EqualTo(CloseReason.NotFound));
    }

    [Test]
    public async Task Lets_the_node_send_more_as_data_is_read()
    {
        using var stream = await DialAsync();
        await using var channel = await hub.Get<NodeChannels>().OpenAsync("n1", Logs, CancellationToken.None);
        var open = await NextAsync(stream);
        Assert.That(open.Open.Window, Is.EqualTo(NodeChannel.Window));
        for (var sent = 0; sent < NodeChannel.Window; sent += 32 << 10)
        {
            await stream.RequestStream.WriteAsync(new TunnelFrame { Channel = open.Channel, Data = ByteString.CopyFrom(new byte[32 << 10]) });
        }

        var read = 0;
        await foreach (var data in channel.ReadAllAsync(CancellationToken.None))
        {
            read += data.Length;
            if (read == NodeChannel.Window)
            {
                await CloseAsync(stream, open.Channel, CloseReason.Done);
            }
        }

        Assert.That(read, Is.EqualTo(NodeChannel.Window));
        Assert.That((await NextAsync(stream)).Window, Is.EqualTo(NodeChannel.Window / 2));
    }

    [Test]
    public async Task Ends_the_stream_of_a_node_that_sends_beyond_the_window()
    {
        using var stream = await DialAsync();
        await using var channel = await hub.Get<NodeChannels>().OpenAsync("n1", Logs, CancellationToken.None);
        var open = await NextAsync(stream);
        await stream.RequestStream.WriteAsync(new TunnelFrame { Channel = open.Channel, Data = ByteString.CopyFrom(new byte[NodeChannel.Window + 1]) });

        await NodeHub.FailureAsync<NodeUnreachableException>(() => TextAsync(channel));
    }

    [Test]
    public async Task Closes_the_channel_on_the_node_when_the_reader_leaves()
    {
        using var stream = await DialAsync();
        var channel = await hub.Get<NodeChannels>().OpenAsync("n1", Logs, CancellationToken.None);
        var open = await NextAsync(stream);

        await channel.DisposeAsync();

        var close = await NextAsync(stream);
        Assert.That((close.Channel, close.KindCase), Is.EqualTo((open.Channel, TunnelFrame.KindOneofCase.Close)));
    }

    [Test]
    public async Task Tells_the_reader_when_the_node_goes_away_or_is_revoked()
    {
        var stream = await DialAsync();
        await using var left = await hub.Get<NodeChannels>().OpenAsync("n1", Logs, CancellationToken.None);
        await NextAsync(stream);
        stream.Dispose();
        await NodeHub.FailureAsync<NodeUnreachableException>(() => TextAsync(left));

        using var again = await DialAsync();
        await using var cut = await hub.Get<NodeChannels>().OpenAsync("n1", Logs, CancellationToken.None);
        await hub.Get<NodeIdentities>().RevokeAsync("n1", "test", CancellationToken.None);
        await NodeHub.FailureAsync<NodeUnreachableException>(() => TextAsync(cut));
    }

    [Test]
    public async Task Says_at_once_that_a_node_is_not_connected_and_after_a_while_that_it_does_not_dial()
    {
        var channels = hub.Get<NodeChannels>();
        var absent = await NodeHub.FailureAsync<NodeUnreachableException>(() => channels.OpenAsync("n1", Logs, CancellationToken.None));
        Assert.That(absent.Message, Does.Contain("not connected"));

        var poked = await SubscribeAsync();
        var opening = channels.OpenAsync("n1", Logs, CancellationToken.None);
        await poked.WaitAsync(TimeSpan.FromSeconds(10));
        hub.Time.Advance(TimeSpan.FromSeconds(11));
        var silent = await NodeHub.FailureAsync<NodeUnreachableException>(() => opening);
        Assert.That(silent.Message, Does.Contain("did not open"));
    }

    private async Task<Task<PokeReason>> SubscribeAsync()
    {
        var (client, _) = await node.ConnectAsync();
        var poked = new TaskCompletionSource<PokeReason>(TaskCreationOptions.RunContinuationsAsynchronously);
        client.ApplicationMessageReceivedAsync += args =>
        {
            poked.TrySetResult(Poke.Parser.ParseFrom(args.ApplicationMessage.Payload).Reason);
            return Task.CompletedTask;
        };
        await client.SubscribeAsync(Topic.DownstreamFilter("n1"));
        return poked.Task;
    }

    /// <summary>Dials as a node does when poked, with one channel opened and dropped to know that the hub has the stream.</summary>
    private async Task<AsyncDuplexStreamingCall<TunnelFrame, TunnelFrame>> DialAsync()
    {
        await SubscribeAsync();
        var stream = node.Tunnel.Connect();
        var probe = await hub.Get<NodeChannels>().OpenAsync("n1", Logs, CancellationToken.None);
        await NextAsync(stream);
        await probe.DisposeAsync();
        await NextAsync(stream);
        return stream;
    }

    private static async Task<TunnelFrame> NextAsync(AsyncDuplexStreamingCall<TunnelFrame, TunnelFrame> stream)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(10));
        Assert.That(await stream.ResponseStream.MoveNext(limit.Token));
        return stream.ResponseStream.Current;
    }

    private static Task SendAsync(AsyncDuplexStreamingCall<TunnelFrame, TunnelFrame> stream, uint channel, string text) =>
        stream.RequestStream.WriteAsync(new TunnelFrame { Channel = channel, Data = ByteString.CopyFromUtf8(text) });

    private static Task CloseAsync(AsyncDuplexStreamingCall<TunnelFrame, TunnelFrame> stream, uint channel, CloseReason reason) =>
        stream.RequestStream.WriteAsync(new TunnelFrame { Channel = channel, Close = new CloseChannel { Reason = reason } });

    private static async Task<string> TextAsync(NodeChannel channel)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(10));
        var text = "";
        await foreach (var data in channel.ReadAllAsync(limit.Token))
        {
            text += System.Text.Encoding.UTF8.GetString(data.Span);
        }

        return text;
    }
}
