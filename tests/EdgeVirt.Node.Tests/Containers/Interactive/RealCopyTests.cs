using EdgeVirt.Contracts.Channels;
using EdgeVirt.Contracts.Protos;
using EdgeVirt.Linux;
using EdgeVirt.Linux.Files;
using EdgeVirt.Node.Tests.Hub;
using EdgeVirt.Testing;
using Google.Protobuf;

namespace EdgeVirt.Node.Tests.Containers.Interactive;

/// <summary>Files into and out of a container that really runs.</summary>
[Category("root")]
internal sealed class RealCopyTests
{
    private RealWorkload workload = null!;
    private TempDirectory local = null!;

    [OneTimeSetUp]
    public async Task SetUp() => workload = await RealWorkload.StartAsync(
        template: new EdgeVirt.Contracts.Resources.PodSpec
        {
            Containers = [],
            Volumes = [new EdgeVirt.Contracts.Resources.VolumeSpec { Name = "data", EmptyDir = new EdgeVirt.Contracts.Resources.EmptyDirSource() }],
        });

    [OneTimeTearDown]
    public async Task TearDown() => await workload.DisposeAsync();

    [SetUp]
    public void MakeLocal() => local = new TempDirectory();

    [TearDown]
    public void RemoveLocal() => local.Dispose();

    [Test]
    public async Task A_tree_goes_in_as_the_containers_own_and_comes_back_the_same()
    {
        var tree = local.Subdirectory("tree");
        Directory.CreateDirectory(Path.Combine(tree, "sub"));
        File.WriteAllText(Path.Combine(tree, "sub", "run.sh"), "#!/bin/sh\necho ran\n");
        File.SetUnixFileMode(Path.Combine(tree, "sub", "run.sh"), (UnixFileMode)0x1ED);
        File.WriteAllBytes(Path.Combine(tree, "big"), new byte[3_000_000]);

        Assert.That(await SendAsync(tree, "/data"), Is.EqualTo(new CloseChannel()));
        Assert.That(await RunAsync("/data/tree/sub/run.sh; stat -c '%a %u' /data/tree/sub/run.sh; ls -a /data"), Is.EqualTo("ran\n755 65534\n.\n..\ntree\n"));

        await ReceiveAsync("/data/tree", "back");
        Assert.That(File.ReadAllText(local.Combine("back/sub/run.sh")), Is.EqualTo("#!/bin/sh\necho ran\n"));
        Assert.That(File.GetUnixFileMode(local.Combine("back/sub/run.sh")), Is.EqualTo((UnixFileMode)0x1ED));
        Assert.That(new FileInfo(local.Combine("back/big")).Length, Is.EqualTo(3_000_000));
    }

    [Test]
    public async Task Links_in_the_container_lead_nowhere_but_into_the_container()
    {
        File.WriteAllText(local.Combine("secret"), "geheim");
        await RunAsync($"mkdir -p /data/l; ln -s {local.Path} /data/l/out; ln -s ../../../../..{local.Path}/secret /data/l/file; ln -s /proc/1/root/etc/passwd /data/l/magic");
        Assert.That(await FailureAsync("/data/l/out/secret"), Has.Property("Reason").EqualTo(CloseReason.NotFound));
        Assert.That(await FailureAsync("/data/l/file"), Has.Property("Reason").EqualTo(CloseReason.NotFound));
        Assert.That(await FailureAsync("/data/l/magic"), Has.Property("Reason").Not.EqualTo(CloseReason.Done));
        File.WriteAllText(local.Combine("f"), "x");
        Assert.That(await SendAsync(local.Combine("f"), "/data/l/out/planted"), Has.Property("Reason").EqualTo(CloseReason.NotFound));
        Assert.That(File.Exists(local.Combine("planted")), Is.False);

        // What a link leads to inside is the container's file, not the node's.
        await RunAsync("ln -s /etc/passwd /data/l/passwd");
        await ReceiveAsync("/data/l/passwd", "passwd");
        Assert.That(File.ReadAllText(local.Combine("passwd")), Does.Contain("nobody:x:65534").And.Not.Contain("daemon"));
    }

    [Test]
    public async Task A_caller_who_goes_away_leaves_nothing_half_written()
    {
        await using (var channel = await workload.OpenAsync(new OpenChannel { Copy = new CopyRequest { Workload = "web", Path = "/data", ToContainer = true, Name = "half" } }))
        {
            File.WriteAllBytes(local.Combine("half"), new byte[500_000]);
            var tar = await TarAsync(local.Combine("half"));
            await channel.SendAsync(new StreamMessage { Data = ByteString.CopyFrom(tar.AsSpan(0, 30_000)) });
            await channel.SendAsync(new StreamMessage { Data = ByteString.CopyFrom(tar.AsSpan(30_000, 30_000)) });
            await Eventually.HoldsAsync(() => Entries().Any(name => name.StartsWith(".edgevirt-cp-", StringComparison.Ordinal)), "it is being written");
        }

        await Eventually.HoldsAsync(() => !Entries().Any(name => name.Contains("half", StringComparison.Ordinal) || name.StartsWith('.')), "nothing is left");
    }

    [TestCase("/none", false, "There is no '/none'", CloseReason.NotFound)]
    [TestCase("/none/x", true, "There is no directory '/none'", CloseReason.NotFound)]
    [TestCase("/proc/x", true, "", CloseReason.Failed)]
    public async Task What_cannot_be_is_explained(string path, bool into, string words, CloseReason reason)
    {
        File.WriteAllText(local.Combine("f"), "x");
        var close = into ? await SendAsync(local.Combine("f"), path) : await FailureAsync(path);
        Assert.That(close.Reason, Is.EqualTo(reason), close.Message);
        Assert.That(close.Message, Does.Contain(words));
    }

    [Test]
    public async Task In_a_user_namespace_files_are_the_containers_own_too_and_volumes_say_that_they_cannot_be_written()
    {
        var shared = workload;
        workload = await RealWorkload.StartAsync(template: new EdgeVirt.Contracts.Resources.PodSpec
        {
            Containers = [],
            HostUsers = false,
            Volumes = [new EdgeVirt.Contracts.Resources.VolumeSpec { Name = "data", EmptyDir = new EdgeVirt.Contracts.Resources.EmptyDirSource() }],
        });
        try
        {
            File.WriteAllText(local.Combine("f"), "x");
            Assert.That(await SendAsync(local.Combine("f"), "/tmp"), Is.EqualTo(new CloseChannel()));
            Assert.That(await RunAsync("stat -c %u /tmp/f; cat /tmp/f; echo y > /data/g"), Is.EqualTo("65534\nx"));
            await ReceiveAsync("/data/g", "g");
            Assert.That(File.ReadAllText(local.Combine("g")), Is.EqualTo("y\n"));
            Assert.That(await SendAsync(local.Combine("f"), "/data"), Has.Property("Reason").EqualTo(CloseReason.Failed).And.Property("Message").Contains("hostUsers"));
        }
        finally
        {
            await workload.DisposeAsync();
            workload = shared;
        }
    }

    private static async Task<byte[]> TarAsync(string path)
    {
        using var root = RootedDirectory.Open("/");
        using var source = root.OpenSource(path);
        using var tar = new MemoryStream();
        await TreeSender.SendAsync(source, tar, default);
        return tar.ToArray();
    }

    private IEnumerable<string> Entries() => Directory.GetFileSystemEntries(
        Path.Combine(workload.Directories.EmptyDirs(workload.Records.Sandboxes.Single().Id), "data")).Select(path => Path.GetFileName(path)!);

    private async Task<CloseChannel> SendAsync(string from, string to)
    {
        await using var channel = await workload.OpenAsync(
            new OpenChannel { Copy = new CopyRequest { Workload = "web", Path = to, ToContainer = true, Name = Path.GetFileName(from) } });
        var sending = SendAllAsync(channel, await TarAsync(from));
        await channel.EndAsync();
        _ = sending;
        return channel.Closed!;
    }

    private static async Task SendAllAsync(TestChannel channel, byte[] tar)
    {
        foreach (var piece in tar.Chunk(StreamMessages.DataBytes))
        {
            await channel.SendAsync(new StreamMessage { Data = ByteString.CopyFrom(piece) });
        }

        await channel.SendAsync(new StreamMessage { End = true });
    }

    private async Task<CloseChannel> FailureAsync(string path)
    {
        await using var channel = await workload.OpenAsync(new OpenChannel { Copy = new CopyRequest { Workload = "web", Path = path } });
        await channel.EndAsync();
        return channel.Closed!;
    }

    private async Task ReceiveAsync(string from, string name)
    {
        await using var channel = await workload.OpenAsync(new OpenChannel { Copy = new CopyRequest { Workload = "web", Path = from } });
        await channel.EndAsync();
        Assert.That(channel.Closed!.Reason, Is.EqualTo(CloseReason.Done), channel.Closed.Message);
        Assert.That(channel.Messages[^1].KindCase, Is.EqualTo(StreamMessage.KindOneofCase.End));
        using var root = RootedDirectory.Open("/");
        var (directory, target) = root.OpenTarget(local.Combine(name), "unused");
        using var opened = directory;
        var (user, group) = Processes.Owner;
        using var tar = new MemoryStream([.. channel.Messages.SelectMany(message => message.Data.ToByteArray())]);
        await TreeReceiver.ReceiveAsync(tar, directory, target, user, group, default);
    }

    private async Task<string> RunAsync(string script)
    {
        await using var channel = await workload.OpenAsync(new OpenChannel { Exec = new ExecRequest { Workload = "web", Command = { "sh", "-c", script } } });
        Assert.That(await channel.EndAsync(), Is.Zero, channel.Error);
        return channel.Out;
    }
}
