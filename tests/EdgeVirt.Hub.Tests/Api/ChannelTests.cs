using System.Net;
using System.Net.Http.Json;
using System.Net.WebSockets;
using System.Text.Json;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Api;
using EdgeVirt.Contracts.Channels;
using EdgeVirt.Contracts.Protos;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Hub.Access;
using EdgeVirt.Hub.Audit;
using EdgeVirt.Hub.Resources;
using EdgeVirt.Hub.Scheduling;
using EdgeVirt.Hub.Tunnels;
using Google.Protobuf;
using Microsoft.Extensions.DependencyInjection;

namespace EdgeVirt.Hub.Tests.Api;

/// <summary>WebSockets of the API over real Kestrel and TLS, with the far end of the tunnel in this process.</summary>
internal sealed partial class ChannelTests
{
    private HubHost hub = null!;
    private FakeNode node = null!;

    [OneTimeSetUp]
    public async Task Start()
    {
        hub = await HubHost.StartAsync();
        var store = hub.Services.GetRequiredService<ResourceStore>();
        await store.CreateAsync(Manifests.Node("n1"), default);
        await store.ApplyAsync([Manifests.Workload()], default);
        await NodeHub.EventuallyAsync(async () => (await WorkloadNodes(store)).Node == "n1", "web is placed on n1");
    }

    [SetUp]
    public void Dial() => node = new FakeNode(hub.Services.GetRequiredService<NodeChannels>(), "n1");

    [TearDown]
    public async Task HangUp() => await node.DisposeAsync();

    [OneTimeTearDown]
    public async Task Stop() => await hub.DisposeAsync();

    [Test]
    public async Task Carries_input_output_and_the_end_and_keeps_them_off_the_audit_log()
    {
        using var socket = await ConnectAsync();
        await SendAsync(socket, Open("sh", "-c", "echo $0"));
        var open = await node.NextAsync(TunnelFrame.KindOneofCase.Open);
        Assert.That((open.Open.Exec.Workload, open.Open.Exec.Command, open.Open.Window), Is.EqualTo(("web", open.Open.Exec.Command, (uint)NodeChannel.Window)));

        Assert.That((await NextAsync(socket)).Window, Is.EqualTo(ChannelRelay.Window), "the hub takes so much");
        node.Send(new TunnelFrame { Channel = open.Channel, Window = 100 });
        await SendAsync(socket, DataOf(new StreamMessage { Data = ByteString.CopyFromUtf8("geheim") }));
        var input = await node.NextAsync(TunnelFrame.KindOneofCase.Data);
        Assert.That(input.Data.ToStringUtf8(), Does.Contain("geheim"));

        node.Send(open.Channel, new StreamMessage { Data = ByteString.CopyFromUtf8("answer") });
        Assert.That((await NextAsync(socket)).Data.ToStringUtf8(), Does.Contain("answer"));
        node.Close(open.Channel);
        Assert.That((await NextAsync(socket)).Close.Reason, Is.EqualTo(CloseReason.Done));

        var entries = await hub.Services.GetRequiredService<AuditLog>().ReadAsync(10, default);
        Assert.That(entries[0], Has.Property("Actor").EqualTo("admin").And.Property("Action").EqualTo("exec Workload/web")
            .And.Property("Outcome").EqualTo("ok").And.Property("Reason").EqualTo("on node n1: sh -c echo $0"));
        Assert.That(string.Join(' ', entries.Select(entry => entry.Reason)) + hub.Log.Text, Does.Not.Contain("geheim"));
    }

    [Test]
    public async Task A_caller_who_does_not_read_holds_back_the_node_and_no_other_channel()
    {
        using var slow = await ConnectAsync();
        await SendAsync(slow, Open("yes"));
        var first = await node.NextAsync(TunnelFrame.KindOneofCase.Open);
        for (var i = 0; i < NodeChannel.Window / (32 << 10); i++)
        {
            node.Send(new TunnelFrame { Channel = first.Channel, Data = ByteString.CopyFrom(new byte[32 << 10]) });
        }

        using var quick = await ConnectAsync();
        await SendAsync(quick, Open("true"));
        var second = await node.NextAsync(TunnelFrame.KindOneofCase.Open);
        node.Send(second.Channel, new StreamMessage { Data = ByteString.CopyFromUtf8("quick") });
        await NextAsync(quick);
        Assert.That((await NextAsync(quick)).Data.ToStringUtf8(), Does.Contain("quick"));
        while (node.TryNext(out var frame))
        {
            Assert.That((frame!.KindCase, frame.Channel), Is.Not.EqualTo((TunnelFrame.KindOneofCase.Window, first.Channel)), "the window stays shut");
        }
    }

    [Test]
    public async Task Input_waits_for_the_nodes_window()
    {
        using var socket = await ConnectAsync();
        await SendAsync(socket, Open("cat"));
        var open = await node.NextAsync(TunnelFrame.KindOneofCase.Open);
        await NextAsync(socket);
        await SendAsync(socket, new TunnelFrame { Channel = 1, Data = ByteString.CopyFrom(new byte[1000]) });
        await Task.Delay(100);
        Assert.That(node.TryNext(out var early), Is.False, $"{early}");
        node.Send(new TunnelFrame { Channel = open.Channel, Window = 600 });
        Assert.That((await node.NextAsync(TunnelFrame.KindOneofCase.Data)).Data, Has.Length.EqualTo(600));
        node.Send(new TunnelFrame { Channel = open.Channel, Window = 600 });
        Assert.That((await node.NextAsync(TunnelFrame.KindOneofCase.Data)).Data, Has.Length.EqualTo(400));
    }

    [TestCase(false)]
    [TestCase(true)]
    public async Task The_node_is_told_when_the_caller_goes_away(bool politely)
    {
        using var socket = await ConnectAsync();
        await SendAsync(socket, Open("sleep", "1000"));
        var open = await node.NextAsync(TunnelFrame.KindOneofCase.Open);
        if (politely)
        {
            await SendAsync(socket, new TunnelFrame { Channel = 1, Close = new CloseChannel() });
        }
        else
        {
            socket.Abort();
        }

        Assert.That((await node.NextAsync(TunnelFrame.KindOneofCase.Close)).Channel, Is.EqualTo(open.Channel));
    }

    [Test]
    public async Task What_the_node_refuses_reaches_the_caller_and_the_audit_log()
    {
        using var socket = await ConnectAsync();
        await SendAsync(socket, Open("true"));
        node.Close((await node.NextAsync(TunnelFrame.KindOneofCase.Open)).Channel, CloseReason.NotFound, "no such container");
        var close = await UntilCloseAsync(socket);
        Assert.That((close.Reason, close.Message), Is.EqualTo((CloseReason.NotFound, "no such container")));
        Assert.That((await hub.Services.GetRequiredService<AuditLog>().ReadAsync(1, default))[0].Outcome, Is.EqualTo("refused"));
    }

    [Test]
    public async Task Says_so_when_the_node_vanishes_in_between()
    {
        using var socket = await ConnectAsync();
        await SendAsync(socket, Open("true"));
        await node.NextAsync(TunnelFrame.KindOneofCase.Open);
        await node.DisposeAsync();
        Assert.That((await UntilCloseAsync(socket)).Reason, Is.EqualTo(CloseReason.Unavailable));
        Dial();
    }

    [TestCase("nothing", null, CloseReason.NotFound)]
    [TestCase("web", "elsewhere", CloseReason.NotFound)]
    public async Task Says_so_when_there_is_no_such_workload_or_node(string name, string? onNode, CloseReason reason)
    {
        using var socket = await ConnectAsync(name: name, onNode: onNode);
        await SendAsync(socket, Open("true"));
        Assert.That((await UntilCloseAsync(socket)).Reason, Is.EqualTo(reason));
    }

    [Test]
    public async Task A_frame_that_opens_something_else_or_is_none_is_refused()
    {
        using var other = await ConnectAsync();
        await SendAsync(other, new TunnelFrame { Channel = 1, Open = new OpenChannel { Logs = new LogsRequest { Workload = "web" } } });
        Assert.That((await UntilCloseAsync(other)).Reason, Is.EqualTo(CloseReason.Invalid));

        using var noise = await ConnectAsync();
        await noise.SendAsync(new byte[] { 0xFF, 0xFF }, WebSocketMessageType.Binary, true, default);
        Assert.That((await UntilCloseAsync(noise)).Message, Does.Contain("TunnelFrame"));

        using var flood = await ConnectAsync();
        await SendAsync(flood, Open("cat"));
        for (var i = 0; i < 4; i++)
        {
            await SendAsync(flood, new TunnelFrame { Channel = 1, Data = ByteString.CopyFrom(new byte[32 << 10]) });
        }

        Assert.That((await UntilCloseAsync(flood)).Message, Does.Contain("window"));
    }

    [Test]
    public async Task Strangers_and_read_only_tokens_stay_outside()
    {
        Assert.That(await StatusOfAsync("eva1.nobody"), Is.EqualTo(HttpStatusCode.Unauthorized));
        var (_, reader) = await hub.Services.GetRequiredService<ApiTokens>().CreateAsync("reader", null, readOnly: true, default);
        Assert.That(await StatusOfAsync(reader), Is.EqualTo(HttpStatusCode.Forbidden));
        Assert.That(node.TryNext(out _), Is.False);
    }

    [Test]
    public async Task Connections_to_a_port_are_on_the_audit_log_once_a_minute()
    {
        for (var i = 0; i < 3; i++)
        {
            using var socket = await ConnectAsync(verb: "portforward");
            await SendAsync(socket, new TunnelFrame { Channel = 1, Open = new OpenChannel { Window = 1000, PortForward = new PortForwardRequest { Port = 80 } } });
            var open = await node.NextAsync(TunnelFrame.KindOneofCase.Open);
            Assert.That((open.Open.PortForward.Workload, open.Open.PortForward.Port), Is.EqualTo(("web", 80u)));
            node.Close(open.Channel);
            await UntilCloseAsync(socket);
        }

        var entries = await hub.Services.GetRequiredService<AuditLog>().ReadAsync(100, default);
        Assert.That(entries.Count(entry => entry.Action == "portforward Workload/web" && entry.Reason == "on node n1: port 80"), Is.EqualTo(1));
    }

    [Test]
    public async Task Volumes_are_a_nodes_own_and_changing_them_is_on_the_audit_log()
    {
        var deletion = new TunnelFrame { Channel = 1, Open = new OpenChannel { Window = 1000, VolumeDelete = new VolumeDeleteRequest { Volume = "journal" } } };
        using (var socket = await ConnectAsync(name: "n1", verb: "volumes/delete", kind: "nodes"))
        {
            await SendAsync(socket, deletion);
            var open = await node.NextAsync(TunnelFrame.KindOneofCase.Open);
            Assert.That(open.Open.VolumeDelete.Volume, Is.EqualTo("journal"));
            node.Close(open.Channel);
            Assert.That((await UntilCloseAsync(socket)).Reason, Is.EqualTo(CloseReason.Done));
        }

        var entries = await hub.Services.GetRequiredService<AuditLog>().ReadAsync(100, default);
        Assert.That(entries.Count(entry => entry.Action == "volumes/delete Node/n1" && entry.Reason == "on node n1: volume journal"), Is.EqualTo(1));
        using var stranger = await ConnectAsync(name: "nobody", verb: "volumes/delete", kind: "nodes");
        await SendAsync(stranger, deletion);
        Assert.That(await UntilCloseAsync(stranger), Has.Property("Reason").EqualTo(CloseReason.NotFound).And.Property("Message").Contains("Node/nobody"));
    }

    [Test]
    public async Task A_read_only_token_lists_volumes_and_does_nothing_else_with_them()
    {
        var (_, reader) = await hub.Services.GetRequiredService<ApiTokens>().CreateAsync("lister", null, readOnly: true, default);
        foreach (var verb in (string[])["volumes/delete", "volumes/backup", "volumes/restore"])
        {
            using var refused = new ClientWebSocket();
            await NodeHub.FailureAsync<WebSocketException>(() => ConnectAsync(refused, reader, "n1", null, verb, "nodes"));
            Assert.That(refused.HttpStatusCode, Is.EqualTo(HttpStatusCode.Forbidden), verb);
        }

        using var socket = new ClientWebSocket();
        await ConnectAsync(socket, reader, "n1", null, "volumes/list", "nodes");
        await SendAsync(socket, new TunnelFrame { Channel = 1, Open = new OpenChannel { Window = 1000, VolumeList = new VolumeListQuery() } });
        node.Close((await node.NextAsync(TunnelFrame.KindOneofCase.Open)).Channel);
        Assert.That((await UntilCloseAsync(socket)).Reason, Is.EqualTo(CloseReason.Done));
    }

    [Test]
    public async Task The_node_is_told_who_wants_a_console_and_who_only_watches_cannot_type()
    {
        await PlaceMachineAsync();
        using (var socket = await ConnectAsync(name: "guest", verb: "console", kind: "virtualmachines"))
        {
            await SendAsync(socket, new TunnelFrame { Channel = 1, Open = new OpenChannel { Window = 1000, Caller = "somebody else", Console = new ConsoleRequest { Machine = "another", Follow = true, Force = true } } });
            var open = await node.NextAsync(TunnelFrame.KindOneofCase.Open);
            Assert.That((open.Open.Caller, open.Open.Console), Is.EqualTo(("admin", new ConsoleRequest { Machine = "guest", Follow = true, Force = true })));
            node.Close(open.Channel, CloseReason.Conflict, "taken over");
            Assert.That((await UntilCloseAsync(socket)).Reason, Is.EqualTo(CloseReason.Conflict));
        }

        var entries = await hub.Services.GetRequiredService<AuditLog>().ReadAsync(100, default);
        Assert.That(entries.Count(entry => entry.Action == "console VirtualMachine/guest" && entry.Reason == "on node n1: with input, by force"), Is.EqualTo(1));

        var (_, reader) = await hub.Services.GetRequiredService<ApiTokens>().CreateAsync("watcher", null, readOnly: true, default);
        foreach (var verb in (string[])["console", "vnc"])
        {
            using var refused = new ClientWebSocket();
            await NodeHub.FailureAsync<WebSocketException>(() => ConnectAsync(refused, reader, "guest", null, verb, "virtualmachines"));
            Assert.That(refused.HttpStatusCode, Is.EqualTo(HttpStatusCode.Forbidden), verb);
        }

        using var watching = new ClientWebSocket();
        await ConnectAsync(watching, reader, "guest", null, "console/watch", "virtualmachines");
        await SendAsync(watching, new TunnelFrame { Channel = 1, Open = new OpenChannel { Window = 1000, Console = new ConsoleRequest { Follow = true, Force = true } } });
        var watch = await node.NextAsync(TunnelFrame.KindOneofCase.Open);
        Assert.That((watch.Open.Caller, watch.Open.Console), Is.EqualTo(("watcher", new ConsoleRequest { Machine = "guest", Follow = true, ReadOnly = true })));
        node.Close(watch.Channel);
    }

    [TestCase("workloads", "guest", "attach", "edgevirt console guest")]
    [TestCase("virtualmachines", "web", "console", "edgevirt attach web")]
    [TestCase("virtualmachines", "nobody", "vnc", "edgevirt get virtualmachines")]
    public async Task Who_asks_for_the_wrong_kind_is_told_how_to_ask_for_the_other(string kind, string name, string verb, string hint)
    {
        await PlaceMachineAsync();
        using var socket = await ConnectAsync(name: name, verb: verb, kind: kind);
        var open = verb switch
        {
            "attach" => new OpenChannel { Attach = new AttachRequest() },
            "vnc" => new OpenChannel { Vnc = new VncRequest() },
            _ => new OpenChannel { Console = new ConsoleRequest() },
        };
        await SendAsync(socket, new TunnelFrame { Channel = 1, Open = open });
        Assert.That(await UntilCloseAsync(socket), Has.Property("Reason").EqualTo(CloseReason.NotFound).And.Property("Message").Contains(hint));
    }

    [Test]
    public async Task Who_asks_without_a_WebSocket_is_told_to()
    {
        using var client = hub.Client();
        using var answer = await client.GetAsync("/api/v1/workloads/web/exec");
        Assert.That(answer.StatusCode, Is.EqualTo(HttpStatusCode.BadRequest));
        Assert.That((await answer.Content.ReadFromJsonAsync(ContractsJson.Default.ApiError))!.Message, Does.Contain("WebSocket"));
    }

    private static TunnelFrame Open(params string[] command) =>
        new() { Channel = 1, Open = new OpenChannel { Window = command is ["yes"] ? 0u : 1 << 20, Exec = new ExecRequest { Workload = "another", Command = { command } } } };

    private static TunnelFrame DataOf(StreamMessage message) => new() { Channel = 1, Data = ByteString.CopyFrom(StreamMessages.ToBytes(message).Span) };

    private static Task<(string? Node, int Status, ApiError? Error)> WorkloadNodes(ResourceStore store) =>
        EdgeVirt.Hub.Api.PlacedNodes.FindAsync(store, PlacedKind.Workload, "web", null, default);

    private async Task PlaceMachineAsync()
    {
        var store = hub.Services.GetRequiredService<ResourceStore>();
        if (await store.GetAsync(ResourceKind.VirtualMachine, "guest", default) is null)
        {
            var status = new NodeStatus { BootId = "boot", Kinds = [ResourceKind.Workload.Name, ResourceKind.VirtualMachine.Name] };
            await store.UpdateStatusAsync(ResourceKind.Node, "n1", _ => JsonSerializer.SerializeToElement(status, ContractsJson.Default.NodeStatus), default);
            await store.ApplyAsync([Manifests.Machine()], default);
            await NodeHub.EventuallyAsync(
                async () => (await EdgeVirt.Hub.Api.PlacedNodes.FindAsync(store, PlacedKind.VirtualMachine, "guest", null, default)).Node == "n1", "guest is placed on n1");
        }
    }

    private static Task SendAsync(ClientWebSocket socket, TunnelFrame frame) =>
        socket.SendAsync(frame.ToByteArray(), WebSocketMessageType.Binary, true, CancellationToken.None);

    private static async Task<TunnelFrame> NextAsync(ClientWebSocket socket)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(10));
        using var message = new MemoryStream();
        var buffer = new byte[64 << 10];
        while (true)
        {
            var part = await socket.ReceiveAsync(buffer, limit.Token);
            Assert.That(part.MessageType, Is.EqualTo(WebSocketMessageType.Binary));
            message.Write(buffer, 0, part.Count);
            if (part.EndOfMessage)
            {
                return TunnelFrame.Parser.ParseFrom(message.ToArray());
            }
        }
    }

    private static async Task<CloseChannel> UntilCloseAsync(ClientWebSocket socket)
    {
        while (true)
        {
            if (await NextAsync(socket) is { KindCase: TunnelFrame.KindOneofCase.Close } frame)
            {
                return frame.Close;
            }
        }
    }

    private async Task<HttpStatusCode> StatusOfAsync(string token)
    {
        using var socket = new ClientWebSocket();
        await NodeHub.FailureAsync<WebSocketException>(() => ConnectAsync(socket, token, "web", null));
        return socket.HttpStatusCode;
    }

    private async Task<ClientWebSocket> ConnectAsync(string name = "web", string? onNode = null, string verb = "exec", string kind = "workloads")
    {
        var socket = new ClientWebSocket();
        await ConnectAsync(socket, hub.AdminToken, name, onNode, verb, kind);
        return socket;
    }

    private Task ConnectAsync(ClientWebSocket socket, string token, string name, string? onNode, string verb = "exec", string kind = "workloads")
    {
        socket.Options.CollectHttpResponseDetails = true;
        socket.Options.SetRequestHeader("Authorization", $"Bearer {token}");
#pragma warning disable CA5359 // The hub's own certificate on loopback.
        socket.Options.RemoteCertificateValidationCallback = (_, _, _, _) => true;
#pragma warning restore CA5359
        var query = onNode is null ? "" : $"?node={onNode}";
        return socket.ConnectAsync(new Uri($"wss://localhost:{hub.Endpoints.ApiPort}/api/v1/{kind}/{name}/{verb}{query}"), CancellationToken.None);
    }
}
