using System.Net;
using System.Net.WebSockets;
using EdgeVirt.Contracts.Protos;
using EdgeVirt.Hub.Access;
using EdgeVirt.Hub.Audit;
using Microsoft.Extensions.DependencyInjection;

namespace EdgeVirt.Hub.Tests.Api;

/// <summary>Snapshots of virtual machines.</summary>
internal sealed partial class ChannelTests
{
    [Test]
    public async Task Snapshots_are_of_the_machine_in_the_address_and_only_their_list_is_for_readers()
    {
        await PlaceMachineAsync();
        (string Verb, OpenChannel Open, OpenChannel Expected, string Log)[] verbs =
        [
            ("create", new() { SnapshotCreate = new() { Machine = "another", Snapshot = "a" } }, new() { SnapshotCreate = new() { Machine = "guest", Snapshot = "a" } }, "snapshot a"),
            ("delete", new() { SnapshotDelete = new() { Snapshot = "a" } }, new() { SnapshotDelete = new() { Machine = "guest", Snapshot = "a" } }, "snapshot a"),
            ("restore", new() { SnapshotRestore = new() { Snapshot = "a", DiscardPresent = true } },
                new() { SnapshotRestore = new() { Machine = "guest", Snapshot = "a", DiscardPresent = true } }, "snapshot a, its present state goes"),
            ("export", new() { SnapshotExport = new() { Snapshot = "a", Disk = "root" } }, new() { SnapshotExport = new() { Machine = "guest", Snapshot = "a", Disk = "root" } }, "snapshot a, disk root"),
        ];
        var (_, reader) = await hub.Services.GetRequiredService<ApiTokens>().CreateAsync("snapshot-lister", null, readOnly: true, default);
        foreach (var (verb, wanted, expected, log) in verbs)
        {
            using var socket = await ConnectAsync(name: "guest", verb: $"snapshots/{verb}", kind: "virtualmachines");
            wanted.Window = 1000;
            await SendAsync(socket, new TunnelFrame { Channel = 1, Open = wanted });
            var open = await node.NextAsync(TunnelFrame.KindOneofCase.Open);
            (expected.Window, expected.Caller) = (open.Open.Window, "admin");
            Assert.That(open.Open, Is.EqualTo(expected), verb);
            node.Close(open.Channel, CloseReason.NotFound, "no snapshot 'a'");
            Assert.That(await UntilCloseAsync(socket), Has.Property("Reason").EqualTo(CloseReason.NotFound).And.Property("Message").EqualTo("no snapshot 'a'"));
            var entries = await hub.Services.GetRequiredService<AuditLog>().ReadAsync(20, default);
            Assert.That(entries.Any(entry => entry.Action == $"snapshots/{verb} VirtualMachine/guest" && entry.Reason == $"on node n1: {log}"), verb);

            using var refused = new ClientWebSocket();
            await NodeHub.FailureAsync<WebSocketException>(() => ConnectAsync(refused, reader, "guest", null, $"snapshots/{verb}", "virtualmachines"));
            Assert.That(refused.HttpStatusCode, Is.EqualTo(HttpStatusCode.Forbidden), verb);
        }

        using var listing = new ClientWebSocket();
        await ConnectAsync(listing, reader, "guest", null, "snapshots/list", "virtualmachines");
        await SendAsync(listing, new TunnelFrame { Channel = 1, Open = new OpenChannel { Window = 1000, SnapshotList = new SnapshotListQuery() } });
        var asked = await node.NextAsync(TunnelFrame.KindOneofCase.Open);
        Assert.That(asked.Open.SnapshotList.Machine, Is.EqualTo("guest"));
        node.Close(asked.Channel);
        Assert.That((await UntilCloseAsync(listing)).Reason, Is.EqualTo(CloseReason.Done));
    }
}
