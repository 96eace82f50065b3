using System.Text.Json;
using EdgeVirt.Cli.Tests.Interactive;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Api;
using EdgeVirt.Contracts.Channels;
using EdgeVirt.Contracts.Protos;
using Google.Protobuf;

namespace EdgeVirt.Cli.Tests.Commands;

/// <summary>Snapshots of virtual machines on the command line.</summary>
public sealed class SnapshotTests
{
    private const string Address = "/api/v1/virtualmachines/meter/snapshots/";

    private static readonly LocalSnapshot First = new()
    {
        Name = "auto-20261126-030000",
        CreatedAt = new DateTimeOffset(2026, 11, 26, 3, 0, 0, TimeSpan.Zero),
        IsScheduled = true,
        Disks = [new LocalSnapshotDisk { Name = "data", SizeBytes = 1 << 30, OwnBytes = 3 << 20 }, new LocalSnapshotDisk { Name = "root", SizeBytes = 1 << 30, OwnBytes = 2 << 20 }],
    };

    private static readonly LocalSnapshot Second = new()
    {
        Name = "before-upgrade", CreatedAt = DateTimeOffset.UnixEpoch, FsFrozen = true, Parent = First.Name, Disks = [new LocalSnapshotDisk { Name = "root", SizeBytes = 1 << 30, OwnBytes = 512 }],
    };

    private FakeHub hub = null!;
    private CliRun cli = null!;

    [SetUp]
    public async Task Start()
    {
        hub = await FakeHub.StartAsync();
        cli = new CliRun(hub);
    }

    [TearDown]
    public async Task Stop()
    {
        cli.Dispose();
        await hub.DisposeAsync();
    }

    [Test]
    public async Task Lists_what_a_machine_has()
    {
        FakeChannel.Serve(hub, Address + "list", channel => AnswerAsync(channel, First, Second));
        var outcome = await cli.RunAsync("vm", "snapshot", "list", "meter");
        Assert.That((outcome.Code, outcome.Error), Is.EqualTo((0, "")));
        Assert.That(outcome.Out, Is.EqualTo("""
            SNAPSHOT               PARENT                 DISKS        OWN SIZE   FROZEN   BY         CREATED
            auto-20261126-030000   -                      data, root   5 MiB      no       schedule   2026-11-26 03:00:00Z
            before-upgrade         auto-20261126-030000   root         512 B      yes      hand       1970-01-01 00:00:00Z

            """));
        var json = JsonDocument.Parse((await cli.RunAsync("vm", "snapshot", "list", "meter", "-o", "json")).Out);
        Assert.That(json.RootElement.GetProperty("items")[1].GetProperty("parent").GetString(), Is.EqualTo(First.Name));
    }

    [TestCase(true, "its file systems at rest")]
    [TestCase(false, "as after a power cut: no guest agent answered")]
    public async Task Takes_one_and_says_whether_the_guest_was_at_rest(bool isFrozen, string said)
    {
        SnapshotCreateRequest? request = null;
        FakeChannel.Serve(hub, Address + "create", channel =>
        {
            request = channel.Opened.SnapshotCreate;
            return AnswerAsync(channel, Second with { FsFrozen = isFrozen });
        });
        var outcome = await cli.RunAsync("vm", "snapshot", "create", "meter", "before-upgrade");
        Assert.That((outcome.Code, outcome.Error), Is.EqualTo((0, "")));
        Assert.That(outcome.Out, Does.Contain("'before-upgrade' of 'meter' is taken").And.Contain(said));
        Assert.That(request, Is.EqualTo(new SnapshotCreateRequest { Machine = "meter", Snapshot = "before-upgrade" }));
        Assert.That((await cli.RunAsync("vm", "snapshot", "create", "meter")).Code, Is.Zero);
        Assert.That(request!.Snapshot, Is.Empty, "the node calls it after the time");
    }

    [Test]
    public async Task Deletes_and_restores()
    {
        List<IMessage> asked = [];
        FakeChannel.Serve(hub, Address + "delete", channel =>
        {
            asked.Add(channel.Opened.SnapshotDelete);
            return channel.CloseAsync();
        });
        FakeChannel.Serve(hub, Address + "restore", channel =>
        {
            asked.Add(channel.Opened.SnapshotRestore);
            return channel.CloseAsync();
        });
        Assert.That((await cli.RunAsync("vm", "snapshot", "delete", "meter", "a")).Out, Is.EqualTo("Snapshot 'a' of 'meter' is deleted.\n"));
        Assert.That((await cli.RunAsync("vm", "snapshot", "restore", "meter", "b")).Out, Is.EqualTo("The disks of 'meter' are those of snapshot 'b'.\n"));
        Assert.That((await cli.RunAsync("vm", "snapshot", "restore", "meter", "b", "--discard-present")).Code, Is.Zero);
        Assert.That(asked, Is.EqualTo(new IMessage[]
        {
            new SnapshotDeleteRequest { Machine = "meter", Snapshot = "a" },
            new SnapshotRestoreRequest { Machine = "meter", Snapshot = "b" },
            new SnapshotRestoreRequest { Machine = "meter", Snapshot = "b", DiscardPresent = true },
        }));
    }

    [Test]
    public async Task An_export_is_kept_only_when_it_is_whole_and_never_over_another_file()
    {
        var isWhole = false;
        SnapshotExportRequest? request = null;
        FakeChannel.Serve(hub, Address + "export", async channel =>
        {
            request = channel.Opened.SnapshotExport;
            var send = DigestedMessages.Sending((message, _) => channel.SendAsync(message));
            await send(new StreamMessage { Data = ByteString.CopyFromUtf8("content") }, default);
            if (isWhole)
            {
                await send(new StreamMessage { End = true }, default);
            }
            else
            {
                await channel.SendAsync(new StreamMessage { End = true });
            }

            await channel.CloseAsync();
        });
        var file = Path.Combine(cli.Home, "root.qcow2");
        var broken = await cli.RunAsync("vm", "snapshot", "export", "meter", "a", file, "--disk", "root");
        Assert.That((broken.Code, File.Exists(file), File.Exists(file + ".part")), Is.EqualTo((ExitCodes.Failure, false, false)));
        Assert.That(broken.Error, Does.Contain("not whole"));
        isWhole = true;
        var outcome = await cli.RunAsync("vm", "snapshot", "export", "meter", "a", file, "--disk", "root");
        Assert.That((outcome.Code, File.ReadAllText(file)), Is.EqualTo((0, "content")), outcome.Error);
        Assert.That(request, Is.EqualTo(new SnapshotExportRequest { Machine = "meter", Snapshot = "a", Disk = "root" }));
        Assert.That(File.GetUnixFileMode(file), Is.EqualTo(UnixFileMode.UserRead | UnixFileMode.UserWrite), "it may hold anything");
        Assert.That((await cli.RunAsync("vm", "snapshot", "export", "meter", "a", file)).Code, Is.EqualTo(ExitCodes.Usage));
    }

    [TestCase(CloseReason.NotFound, ExitCodes.NotFound)]
    [TestCase(CloseReason.Invalid, ExitCodes.Invalid)]
    public async Task What_the_node_refuses_is_said(CloseReason reason, int code)
    {
        FakeChannel.Serve(hub, Address + "restore", channel => channel.CloseAsync(reason, "The machine has no snapshot 'x'."));
        var outcome = await cli.RunAsync("vm", "snapshot", "restore", "meter", "x");
        Assert.That((outcome.Code, outcome.Out), Is.EqualTo((code, "")));
        Assert.That(outcome.Error, Does.Contain("no snapshot 'x'"));
    }

    private static async Task AnswerAsync(FakeChannel channel, params IReadOnlyList<LocalSnapshot> snapshots)
    {
        var list = JsonSerializer.SerializeToUtf8Bytes(new LocalSnapshotList { Items = snapshots }, ContractsJson.Default.LocalSnapshotList);
        await channel.SendAsync(new StreamMessage { Data = ByteString.CopyFrom(list) });
        await channel.SendAsync(new StreamMessage { End = true });
        await channel.CloseAsync();
    }
}
