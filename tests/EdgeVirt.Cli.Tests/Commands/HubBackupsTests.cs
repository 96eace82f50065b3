using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Api;
using Microsoft.AspNetCore.Http;

namespace EdgeVirt.Cli.Tests.Commands;

public sealed class HubBackupsTests
{
    private static readonly VolumeBackup Kept = new()
    {
        Id = "20261122-170000-4f2a", Node = "n1", Volume = "journal", SizeBytes = 5 << 20, Sha256 = "00", CreatedAt = DateTimeOffset.UnixEpoch,
    };

    private FakeHub hub = null!;
    private CliRun cli = null!;

    [SetUp]
    public async Task Start()
    {
        hub = await FakeHub.StartAsync();
        cli = new CliRun(hub);
        hub.Answer("GET /api/v1/volumebackups", System.Text.Json.JsonSerializer.Serialize(new VolumeBackupList { Items = [Kept] }, ContractsJson.Default.VolumeBackupList));
    }

    [TearDown]
    public async Task Stop()
    {
        cli.Dispose();
        await hub.DisposeAsync();
    }

    [Test]
    public async Task A_backup_at_the_hub_is_told_by_its_id()
    {
        Stream("/api/v1/nodes/n1/volumes/journal/backups", new VolumeTransfer { Bytes = 10 }, new VolumeTransfer { Bytes = 5 << 20, IsDone = true, Backup = Kept });
        var outcome = await cli.RunAsync("volume", "backup", "journal", "--hub", "-n", "n1");
        Assert.That((outcome.Code, outcome.Error), Is.EqualTo((0, "")));
        Assert.That(outcome.Out, Does.Contain("is backup 20261122-170000-4f2a at the hub, 5 MiB"));
    }

    [Test]
    public async Task The_newest_of_the_volume_is_restored_or_the_one_that_is_named()
    {
        List<string> asked = [];
        hub.Answer("POST /api/v1/nodes/n1/volumes/journal/restore", async context =>
        {
            asked.Add(context.Request.QueryString.Value!);
            await WriteAsync(context, new VolumeTransfer { Bytes = 5 << 20, IsDone = true, Backup = Kept });
        });
        Assert.That((await cli.RunAsync("volume", "restore", "journal", "--backup", "latest", "-n", "n1")).Code, Is.Zero);
        Assert.That((await cli.RunAsync("volume", "restore", "journal", "--backup", "other", "-n", "n1", "--size", "1Mi")).Out, Does.Contain("restored from backup other"));
        Assert.That(asked, Is.EqualTo(new[] { "?backup=20261122-170000-4f2a&sizeBytes=0", "?backup=other&sizeBytes=1048576" }));
    }

    [Test]
    public async Task What_fails_in_the_middle_is_an_error_and_so_is_an_answer_that_breaks_off()
    {
        Stream("/api/v1/nodes/n1/volumes/journal/backups", new VolumeTransfer { Bytes = 10 }, new VolumeTransfer { Bytes = 10, Code = "Unavailable", Message = "Node 'n1' went away.", Hint = "Look." });
        var failed = await cli.RunAsync("volume", "backup", "journal", "--hub", "-n", "n1");
        Assert.That((failed.Code, failed.Out), Is.EqualTo((ExitCodes.Unreachable, "")));
        Assert.That(failed.Error, Does.Contain("went away").And.Contain("Look."));

        Stream("/api/v1/nodes/n1/volumes/journal/backups", new VolumeTransfer { Bytes = 10 });
        Assert.That((await cli.RunAsync("volume", "backup", "journal", "--hub", "-n", "n1")).Error, Does.Contain("broke off"));
    }

    [Test]
    public async Task Lists_and_deletes()
    {
        hub.Answer("DELETE /api/v1/volumebackups/20261122-170000-4f2a", context =>
        {
            context.Response.StatusCode = 204;
            return Task.CompletedTask;
        });
        Assert.That((await cli.RunAsync("volume", "backups", "list")).Out, Does.Contain("20261122-170000-4f2a").And.Contain("journal").And.Contain("5 MiB"));
        Assert.That((await cli.RunAsync("volume", "backups", "delete", "20261122-170000-4f2a")).Code, Is.Zero);
        Assert.That((await cli.RunAsync("volume", "backups", "delete", "other")).Code, Is.EqualTo(ExitCodes.NotFound));
    }

    [TestCase("volume", "backup", "journal", "-n", "n1")]
    [TestCase("volume", "backup", "journal", "file", "--hub", "-n", "n1")]
    [TestCase("volume", "backup", "journal", "--hub")]
    [TestCase("volume", "backup", "journal", "--hub", "--local")]
    [TestCase("volume", "restore", "journal", "-n", "n1")]
    [TestCase("volume", "restore", "journal", "file", "--backup", "latest", "-n", "n1")]
    public async Task A_command_line_that_does_not_say_where_is_refused(params string[] args) =>
        Assert.That((await cli.RunAsync(args)).Code, Is.EqualTo(ExitCodes.Usage));

    private void Stream(string path, params VolumeTransfer[] lines) => hub.Answer($"POST {path}", context => WriteAsync(context, lines));

    private static async Task WriteAsync(HttpContext context, params VolumeTransfer[] lines)
    {
        foreach (var line in lines)
        {
            await context.Response.WriteAsync(System.Text.Json.JsonSerializer.Serialize(line, ContractsJson.Default.VolumeTransfer) + "\n");
        }
    }
}
