using EdgeVirt.Contracts.Protos;
using EdgeVirt.Linux;
using EdgeVirt.Node.Containers;
using EdgeVirt.Node.Containers.Volumes;
using EdgeVirt.Node.Control;
using EdgeVirt.Node.Tests.Containers.Interactive;
using EdgeVirt.Node.Tests.Hub;
using EdgeVirt.Testing;
using Google.Protobuf;
using Microsoft.Extensions.Logging.Abstractions;

namespace EdgeVirt.Node.Tests.Containers.Volumes;

/// <summary>Volumes by themselves, and the verbs for them on a control socket.</summary>
[Category("root")]
internal sealed class PersistentVolumesTests
{
    private const int Mebi = 1 << 20;
    private TempDirectory directory = null!;
    private NodeOptions options = null!;
    private NodeDirectories directories = null!;
    private PersistentVolumes volumes = null!;
    private ControlSocket socket = null!;

    [SetUp]
    public async Task SetUp()
    {
        directory = new TempDirectory();
        options = new NodeOptions { DataDir = directory.Combine("data"), RunDir = directory.Combine("run") };
        directories = new NodeDirectories(options);
        volumes = new PersistentVolumes(directories, NullLogger<PersistentVolumes>.Instance);
        socket = new ControlSocket(options, new ChannelServer(new VolumeVerbs(volumes).All, TimeProvider.System, NullLogger<ChannelServer>.Instance), NullLogger<ControlSocket>.Instance);
        await socket.StartAsync(default);
        await Eventually.HoldsAsync(() => File.Exists(Path.Combine(options.RunDir, "control.sock")), "the socket");
    }

    [TearDown]
    public async Task TearDown()
    {
        await socket.StopAsync(default);
        socket.Dispose();
        Mounts.UnmountBelow(directory.Path, detach: true);
        directory.Dispose();
    }

    [Test]
    public async Task A_backup_comes_back_as_a_whole_also_on_another_node()
    {
        await MakeAsync("journal", "one");
        var backup = await BackUpAsync("journal");
        await ChangeAsync("journal", "two");

        Assert.That(await RestoreAsync("journal", 0, backup), Is.EqualTo(new CloseChannel()));
        Assert.That(await ContentAsync("journal"), Is.EqualTo("one"));
        Assert.That(await RestoreAsync("copy", 16 * Mebi, backup), Is.EqualTo(new CloseChannel()));
        Assert.That(await ContentAsync("copy"), Is.EqualTo("one"));
        Assert.That(volumes.List().Items.Select(volume => (volume.Name, volume.SizeBytes)), Is.EqualTo([("copy", 16L * Mebi), ("journal", 16L * Mebi)]));
        Assert.That(Mounts.List().Where(mount => mount.Target.StartsWith(directory.Path + "/")), Is.Empty, "nobody has them");
    }

    [Test]
    public async Task A_restore_that_breaks_off_or_is_damaged_leaves_the_volume_as_it_was()
    {
        await MakeAsync("journal", "one");
        var backup = await BackUpAsync("journal");
        await ChangeAsync("journal", "two");

        await using (var channel = await OpenAsync(new OpenChannel { VolumeRestore = new VolumeRestoreRequest { Volume = "journal" } }))
        {
            await channel.SendAsync(backup[0]);
        }

        Assert.That(() => Directory.GetFileSystemEntries(directories.PersistentVolumes).Select(Path.GetFileName), Is.EqualTo(["journal"]).After(5000, 20));
        var bytes = backup[0].Data.ToByteArray();
        bytes[bytes.Length / 2] ^= 1;
        Assert.That(await RestoreAsync("journal", 0, [new StreamMessage { Data = ByteString.CopyFrom(bytes) }, .. backup[1..]]), Has.Property("Reason").EqualTo(CloseReason.Invalid));
        Assert.That(await RestoreAsync("journal", 0, [new StreamMessage { Data = ByteString.CopyFromUtf8("no backup at all") }, new StreamMessage { End = true }]), Has.Property("Reason").EqualTo(CloseReason.Invalid));
        Assert.That(await ContentAsync("journal"), Is.EqualTo("two"));
    }

    [Test]
    public async Task What_somebody_has_is_neither_deleted_nor_restored_and_can_be_backed_up()
    {
        await MakeAsync("journal", "one");
        Directory.CreateDirectory(directories.Sandbox("web-1"));
        volumes.Uses.Write("web-1", "web", ["journal"]);
        await volumes.MountAsync("journal", 16 * Mebi, default);
        var backup = await BackUpAsync("journal");
        Assert.That(Mounts.IsMounted(directories.PersistentMount("journal")), Is.True, "also after the backup");
        Assert.That(await RestoreAsync("journal", 0, backup), Has.Property("Message").Contains("workload web"));
        Assert.That(await CloseOfAsync(new OpenChannel { VolumeDelete = new VolumeDeleteRequest { Volume = "journal" } }), Has.Property("Message").Contains("workload web"));

        Assert.That(volumes.Uses.Remove("web-1"), Is.EqualTo(["journal"]));
        await volumes.ReleaseAsync("journal", default);
        Assert.That(await CloseOfAsync(new OpenChannel { VolumeDelete = new VolumeDeleteRequest { Volume = "journal" } }), Is.EqualTo(new CloseChannel()));
        Assert.That(volumes.List().Items, Is.Empty);
    }

    [TestCase("nobody", CloseReason.NotFound)]
    [TestCase("../../etc", CloseReason.Invalid)]
    [TestCase("", CloseReason.Invalid)]
    public async Task What_is_not_there_is_said(string volume, CloseReason reason)
    {
        Assert.That(await CloseOfAsync(new OpenChannel { VolumeDelete = new VolumeDeleteRequest { Volume = volume } }), Has.Property("Reason").EqualTo(reason));
        Assert.That(await CloseOfAsync(new OpenChannel { VolumeBackup = new VolumeBackupRequest { Volume = volume } }), Has.Property("Reason").EqualTo(reason));
        Assert.That(await CloseOfAsync(new OpenChannel { VolumeRestore = new VolumeRestoreRequest { Volume = volume } }), Has.Property("Reason").EqualTo(reason));
    }

    [Test]
    public async Task What_an_agent_that_died_left_half_made_is_made_anew()
    {
        var begun = directories.PersistentVolume("journal") + ".new";
        Directory.CreateDirectory(begun);
        File.WriteAllText(Path.Combine(begun, "disk.ext4"), "half");
        Assert.That(volumes.List().Items, Is.Empty);
        await MakeAsync("journal", "one");
        Assert.That(await ContentAsync("journal"), Is.EqualTo("one"));
        Assert.That(Directory.Exists(begun), Is.False);
    }

    private async Task MakeAsync(string volume, string content) => await ChangeAsync(volume, content);

    private async Task ChangeAsync(string volume, string content)
    {
        await volumes.MountAsync(volume, 16 * Mebi, default);
        File.WriteAllText(Path.Combine(volumes.PathOf(volume), "f"), content);
        await volumes.ReleaseAsync(volume, default);
    }

    private async Task<string> ContentAsync(string volume)
    {
        await volumes.MountAsync(volume, 16 * Mebi, default);
        var content = File.ReadAllText(Path.Combine(volumes.PathOf(volume), "f"));
        await volumes.ReleaseAsync(volume, default);
        return content;
    }

    private async Task<List<StreamMessage>> BackUpAsync(string volume)
    {
        await using var channel = await OpenAsync(new OpenChannel { VolumeBackup = new VolumeBackupRequest { Volume = volume } });
        await channel.EndAsync();
        Assert.That(channel.Closed, Is.EqualTo(new CloseChannel()));
        return channel.Messages;
    }

    private async Task<CloseChannel> RestoreAsync(string volume, long size, List<StreamMessage> backup)
    {
        await using var channel = await OpenAsync(new OpenChannel { VolumeRestore = new VolumeRestoreRequest { Volume = volume, SizeBytes = size } });
        var sending = Task.Run(async () =>
        {
            foreach (var message in backup)
            {
                await channel.SendAsync(message);
            }
        });
        await channel.EndAsync();
        await Task.WhenAny(sending, Task.Delay(100));
        return channel.Closed!;
    }

    private async Task<CloseChannel> CloseOfAsync(OpenChannel open)
    {
        await using var channel = await OpenAsync(open);
        await channel.EndAsync();
        return channel.Closed!;
    }

    private Task<TestChannel> OpenAsync(OpenChannel open) => TestChannel.OpenAsync(Path.Combine(options.RunDir, "control.sock"), open);
}
