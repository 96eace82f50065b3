using System.Text.Json;
using EdgeVirt.Cli.Tests.Interactive;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Api;
using EdgeVirt.Contracts.Channels;
using EdgeVirt.Contracts.Protos;
using Google.Protobuf;

namespace EdgeVirt.Cli.Tests.Commands;

public sealed class VolumeTests
{
    private const string Address = "/api/v1/nodes/n1/volumes/";

    [Test]
    public async Task Lists_what_the_node_has()
    {
        await using var hub = await FakeHub.StartAsync();
        using var cli = new CliRun(hub);
        FakeChannel.Serve(hub, Address + "list", async channel =>
        {
            var list = new LocalVolumeList { Items = [new LocalVolume { Name = "journal", SizeBytes = 32 << 20, UsedBytes = 5 << 20, UsedBy = ["web"], CreatedAt = DateTimeOffset.UnixEpoch }] };
            await channel.SendAsync(new StreamMessage { Data = ByteString.CopyFrom(JsonSerializer.SerializeToUtf8Bytes(list, ContractsJson.Default.LocalVolumeList)) });
            await channel.SendAsync(new StreamMessage { End = true });
            await channel.CloseAsync();
        });
        var outcome = await cli.RunAsync("volume", "list", "-n", "n1");
        Assert.That((outcome.Code, outcome.Error), Is.EqualTo((0, "")));
        Assert.That(outcome.Out, Does.Contain("journal").And.Contain("32 MiB").And.Contain("5 MiB").And.Contain("web"));
        Assert.That((await cli.RunAsync("volume", "list")).Error, Does.Contain("--node"));
    }

    [Test]
    public async Task A_backup_is_kept_only_when_it_is_whole_and_never_over_another()
    {
        await using var hub = await FakeHub.StartAsync();
        using var cli = new CliRun(hub);
        var isWhole = false;
        FakeChannel.Serve(hub, Address + "backup", async channel =>
        {
            var send = DigestedMessages.Sending((message, _) => channel.SendAsync(message));
            await send(new StreamMessage { Data = ByteString.CopyFromUtf8("content") }, default);
            if (isWhole)
            {
                await send(new StreamMessage { End = true }, default);
                await channel.CloseAsync();
            }
            else
            {
                await channel.SendAsync(new StreamMessage { End = true });
                await channel.CloseAsync();
            }
        });
        var file = Path.Combine(cli.Home, "journal.tar.zst");
        var broken = await cli.RunAsync("volume", "backup", "journal", file, "-n", "n1");
        Assert.That((broken.Code, File.Exists(file), File.Exists(file + ".part")), Is.EqualTo((ExitCodes.Failure, false, false)));
        Assert.That(broken.Error, Does.Contain("not whole"));

        isWhole = true;
        Assert.That((await cli.RunAsync("volume", "backup", "journal", file, "-n", "n1")).Code, Is.Zero);
        Assert.That(File.ReadAllText(file), Is.EqualTo("content"));
        Assert.That(File.GetUnixFileMode(file), Is.EqualTo(UnixFileMode.UserRead | UnixFileMode.UserWrite), "it may hold anything");
        Assert.That((await cli.RunAsync("volume", "backup", "journal", file, "-n", "n1")).Code, Is.EqualTo(ExitCodes.Usage));
    }

    [Test]
    public async Task A_restore_sends_the_file_with_its_digest_and_waits_for_the_node()
    {
        await using var hub = await FakeHub.StartAsync();
        using var cli = new CliRun(hub);
        VolumeRestoreRequest? request = null;
        var received = "";
        FakeChannel.Serve(hub, Address + "restore", async channel =>
        {
            request = channel.Opened.VolumeRestore;
            await channel.AllowAsync(64 << 10);
            await using var stream = new MessageReadStream(DigestedMessages.CheckedAsync(channel.ReadAllAsync(), default));
            using var reader = new StreamReader(stream);
            received = await reader.ReadToEndAsync();
            await channel.CloseAsync();
        });
        var file = cli.File("b.tar.zst", new string('x', 200_000));
        Assert.That((await cli.RunAsync("volume", "restore", "journal", file, "-n", "n1", "--size", "32Mi")).Code, Is.Zero);
        Assert.That(request, Is.EqualTo(new VolumeRestoreRequest { Volume = "journal", SizeBytes = 32 << 20 }));
        Assert.That(received, Has.Length.EqualTo(200_000));
        Assert.That((await cli.RunAsync("volume", "restore", "journal", file, "-n", "n1", "--size", "big")).Code, Is.EqualTo(ExitCodes.Usage));
    }

    [Test]
    public async Task What_the_node_refuses_is_said()
    {
        await using var hub = await FakeHub.StartAsync();
        using var cli = new CliRun(hub);
        FakeChannel.Serve(hub, Address + "delete", channel => channel.CloseAsync(CloseReason.Invalid, "Volume 'journal' belongs to workload web."));
        var outcome = await cli.RunAsync("volume", "delete", "journal", "-n", "n1");
        Assert.That((outcome.Code, outcome.Out), Is.EqualTo((ExitCodes.Invalid, "")));
        Assert.That(outcome.Error, Does.Contain("belongs to workload web"));
    }
}
