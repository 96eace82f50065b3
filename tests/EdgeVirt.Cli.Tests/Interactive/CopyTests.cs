using EdgeVirt.Cli.Interactive;
using EdgeVirt.Contracts.Protos;
using EdgeVirt.Linux;
using EdgeVirt.Linux.Files;
using Google.Protobuf;

namespace EdgeVirt.Cli.Tests.Interactive;

public sealed class CopyTests
{
    private const string Address = "/api/v1/workloads/web/copy";

    [TestCase("web:/etc", "web", "", "/etc")]
    [TestCase("web/nginx:srv/x:y", "web", "nginx", "srv/x:y")]
    [TestCase("./web:/etc", null, "", "./web:/etc")]
    [TestCase("/a:b", null, "", "/a:b")]
    [TestCase("a/b/c:d", null, "", "a/b/c:d")]
    [TestCase("Web:x", null, "", "Web:x")]
    [TestCase("plain", null, "", "plain")]
    public void Reads_paths(string text, string? workload, string container, string path) =>
        Assert.That(CopyPath.Parse(text), Is.EqualTo(new CopyPath(workload, container, path)));

    [TestCase("a", "b", "neither side")]
    [TestCase("web:/a", "web:/b", "both sides")]
    [TestCase("web:", "b", "names no path")]
    public async Task Explains_sides_that_cannot_be(string from, string to, string words)
    {
        using var cli = new CliRun();
        var outcome = await cli.RunAsync("cp", from, to);
        Assert.That(outcome.Code, Is.EqualTo(ExitCodes.Usage));
        Assert.That(outcome.Error, Does.Contain(words));
    }

    [Test]
    public async Task Sends_a_file_and_waits_until_it_is_in_its_place()
    {
        await using var hub = await FakeHub.StartAsync();
        using var cli = new CliRun(hub);
        CopyRequest? request = null;
        var received = Directory.CreateDirectory(Path.Combine(cli.Home, "there")).FullName;
        FakeChannel.Serve(hub, Address, async channel =>
        {
            request = channel.Opened.Copy;
            await channel.AllowAsync(64 << 10);
            await using var stream = new EdgeVirt.Contracts.Channels.MessageReadStream(channel.ReadAllAsync());
            using var root = RootedDirectory.Open(received);
            var (directory, name) = root.OpenTarget("/", request.Name);
            using var opened = directory;
            var (user, group) = Processes.Owner;
            await TreeReceiver.ReceiveAsync(stream, directory, name, user, group, default);
            await channel.CloseAsync();
        });
        var outcome = await cli.RunAsync("cp", cli.File("notes.txt", new string('x', 200_000)), "web/main:/data", "-n", "n1");
        Assert.That(outcome, Is.EqualTo(new CliOutcome(0, "", "")));
        Assert.That(request, Is.EqualTo(new CopyRequest { Workload = "web", Container = "main", Path = "/data", ToContainer = true, Name = "notes.txt" }));
        Assert.That(new FileInfo(Path.Combine(received, "notes.txt")).Length, Is.EqualTo(200_000));
    }

    [Test]
    public async Task What_the_node_refuses_ends_the_sending()
    {
        await using var hub = await FakeHub.StartAsync();
        using var cli = new CliRun(hub);
        FakeChannel.Serve(hub, Address, channel => channel.CloseAsync(CloseReason.NotFound, "There is no directory '/none'."));
        var outcome = await cli.RunAsync("cp", cli.File("big", new string('x', 1_000_000)), "web:/none/x");
        Assert.That(outcome.Code, Is.EqualTo(ExitCodes.NotFound));
        Assert.That(outcome.Error, Does.Contain("no directory '/none'"));
    }

    [TestCase(true)]
    [TestCase(false)]
    public async Task Receives_all_or_nothing(bool whole)
    {
        await using var hub = await FakeHub.StartAsync();
        using var cli = new CliRun(hub);
        var source = cli.File("source.txt", "content");
        var target = Directory.CreateDirectory(Path.Combine(cli.Home, "target")).FullName;
        FakeChannel.Serve(hub, Address, async channel =>
        {
            using var root = RootedDirectory.Open("/");
            using var opened = root.OpenSource(source);
            using var tar = new MemoryStream();
            await TreeSender.SendAsync(opened, tar, default);
            await channel.SendAsync(new StreamMessage { Data = ByteString.CopyFrom(tar.ToArray()) });
            if (whole)
            {
                await channel.SendAsync(new StreamMessage { End = true });
            }

            await channel.CloseAsync(whole ? CloseReason.Done : CloseReason.Failed, "the disk is ill");
        });
        var outcome = await cli.RunAsync("cp", "web:/etc/app.conf", target);
        Assert.That(outcome.Code, Is.EqualTo(whole ? ExitCodes.Ok : ExitCodes.Failure), outcome.Error);
        Assert.That(Directory.GetFileSystemEntries(target).Select(Path.GetFileName), Is.EqualTo(whole ? ["app.conf"] : Array.Empty<string>()));
        if (!whole)
        {
            Assert.That(outcome.Error, Does.Contain("the disk is ill"));
        }
    }

    [Test]
    public async Task Nothing_here_to_copy_is_told_before_the_hub_is_asked()
    {
        await using var hub = await FakeHub.StartAsync();
        using var cli = new CliRun(hub);
        var outcome = await cli.RunAsync("cp", "/no/such/file", "web:/x");
        Assert.That(outcome.Code, Is.EqualTo(ExitCodes.NotFound));
        Assert.That(outcome.Error, Does.Contain("/no/such/file"));
        Assert.That(hub.Lines, Is.Empty);
    }
}
