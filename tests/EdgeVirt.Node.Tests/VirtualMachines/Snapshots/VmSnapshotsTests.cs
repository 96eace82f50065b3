using EdgeVirt.Contracts.Resources;
using EdgeVirt.Linux.Files;
using EdgeVirt.Node.Tests.VirtualMachines.Disks;
using EdgeVirt.Node.Tests.VirtualMachines.Qemu;
using EdgeVirt.Node.VirtualMachines;
using EdgeVirt.Node.VirtualMachines.Disks;
using EdgeVirt.Node.VirtualMachines.Qemu;
using EdgeVirt.Node.VirtualMachines.Snapshots;
using EdgeVirt.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace EdgeVirt.Node.Tests.VirtualMachines.Snapshots;

/// <summary>Snapshots of a machine that is off, with the real qemu-img; the guest is played by qemu-io.</summary>
[Category("root")]
public sealed class VmSnapshotsTests
{
    private static readonly Unprivileged User = new(Unprivileged.FirstUser + 11);
    private DiskFiles files = null!;
    private MachineDisks disks = null!;
    private VmPaths paths = null!;
    private VmSnapshots snapshots = null!;
    private BaseDisk began = null!;

    [SetUp]
    public async Task SetUp()
    {
        files = new DiskFiles();
        disks = new MachineDisks(files.Bases, files.Inspection);
        paths = new VmPaths(files.Subdirectory("machine"), files.Combine("run"));
        File.SetUnixFileMode(paths.DataDirectory, File.GetUnixFileMode(paths.DataDirectory) | UnixFileMode.OtherExecute);
        began = await files.AddAsync(files.Qcow2("base"));
        await RootAsync();
        await DataAsync();
        Restart();
    }

    [TearDown]
    public void TearDown() => files.Dispose();

    [Test]
    public async Task Goes_back_and_forth_and_keeps_what_was_in_between()
    {
        await WriteAsync(1);
        var first = await CreateAsync("one");
        Assert.That((first.Disks.Select(disk => disk.Disk), first.FsFrozen, first.Phase), Is.EqualTo(((string[])["data", "root"], false, SnapshotPhase.Taken)));
        await WriteAsync(2);
        await CreateAsync("two");
        await WriteAsync(3);
        Assert.That(Ownership.Of(paths.Layer("root", 2)), Is.EqualTo((User.User, User.User)));

        await RestoreAsync("one", keep: true);
        await ReadAsync(1);
        Assert.That(snapshots.State.Snapshots.Select(snapshot => snapshot.Name), Is.EqualTo((string[])["one", "two", "before-restore"]));
        await WriteAsync(4);
        await RestoreAsync("before-restore", keep: false);
        await ReadAsync(3);
        await RestoreAsync("two", keep: false);
        await ReadAsync(2);
    }

    [Test]
    public async Task What_is_deleted_gives_its_layers_back_and_the_rest_shows_what_it_showed()
    {
        for (var i = 1; i <= 4; i++)
        {
            await WriteAsync(i);
            await CreateAsync($"s{i}");
        }

        await WriteAsync(5);
        snapshots.Delete("s1");
        snapshots.Delete("s3");
        await CompactAsync();
        Assert.That(LayersOf("root"), Has.Count.EqualTo(3));
        await ReadAsync(5);
        await RestoreAsync("s2", keep: false);
        await ReadAsync(2);
        await RestoreAsync("s4", keep: false);
        await ReadAsync(4);
        snapshots.Delete("s2");
        snapshots.Delete("s4");
        await CompactAsync();
        await ReadAsync(4);
        Assert.That((LayersOf("root").Count, LayersOf("data").Count), Is.EqualTo((1, 1)), "as many files as before the first");
        Assert.That((await DataAsync()).Format, Is.EqualTo(DiskFormat.Raw), "merged down into the raw file that it began with");
    }

    [Test]
    public async Task What_an_agent_that_was_killed_while_making_left_is_undone()
    {
        await WriteAsync(1);
        var begun = SnapshotTree.Begun(snapshots.State, Unfinished("a"), MachineDisks.All(paths));
        SnapshotStore.Write(paths, begun);
        File.WriteAllText(paths.Layer("root", 1), "half a layer");
        Restart();
        await snapshots.SettleAsync(null, null, default);
        Assert.That((snapshots.State.Snapshots.Count, LayersOf("root")), Is.EqualTo((0, (string[])[paths.Disk("root")])));
        await ReadAsync(1);
        await CreateAsync("a");
        await ReadAsync(1);
    }

    [Test]
    public async Task With_its_layers_whole_it_is_completed_and_what_QEMU_wrote_to_them_is_there()
    {
        await WriteAsync(1);
        await CreateAsync("a");
        var taken = snapshots.State;
        await WriteAsync(2);
        // As if the agent had ended between QEMU's answer and its note of it, and QEMU with it.
        var before = SnapshotTree.Begun(SnapshotState.None, Unfinished("a"), MachineDisks.All(paths));
        SnapshotStore.Write(paths, SnapshotTree.Made(before, before.Find("a")!));
        Restart();
        await snapshots.SettleAsync(null, null, default);
        Assert.That(snapshots.State.ChainOf("root")!.Top, Is.EqualTo(taken.ChainOf("root")!.Top));
        await ReadAsync(2);
        await RestoreAsync("a", keep: false);
        await ReadAsync(1);
    }

    [Test]
    public async Task One_that_was_being_undone_is_never_taken_for_whole()
    {
        await WriteAsync(1);
        var begun = SnapshotTree.Begun(snapshots.State, Unfinished("a"), MachineDisks.All(paths));
        // As if QEMU had refused, and agent and QEMU had ended when the first layer was gone.
        SnapshotStore.Write(paths, SnapshotTree.GivenUp(SnapshotTree.Made(begun, begun.Find("a")!), begun.Find("a")!));
        File.WriteAllText(paths.Layer("root", 1), "");
        Restart();
        await snapshots.SettleAsync(null, null, default);
        Assert.That((snapshots.State.Snapshots.Count, LayersOf("root")), Is.EqualTo((0, (string[])[paths.Disk("root")])));
        await ReadAsync(1);
    }

    [Test]
    public async Task A_merge_that_was_cut_short_is_done_again()
    {
        await WriteAsync(1);
        await CreateAsync("a");
        await WriteAsync(2);
        snapshots.Delete("a");
        // Half of it is copied, which nobody sees.
        Command.Run("qemu-io", "-f", "qcow2", "-c", "write -P 2 1M 32k", paths.Disk("root"));
        SnapshotStore.Write(paths, snapshots.State with { Merge = new LayerMerge("root", 0, 1) });
        Restart();
        await snapshots.SettleAsync(null, null, default);
        await ReadAsync(2);
        await CompactAsync();
        await ReadAsync(2);
        Assert.That(LayersOf("root"), Has.Count.EqualTo(1));
    }

    [Test]
    public async Task A_restore_that_was_cut_short_is_carried_out_by_the_next_agent()
    {
        await WriteAsync(1);
        await CreateAsync("a");
        await WriteAsync(2);
        snapshots.BeginRestore("a", keepPresent: true);
        File.WriteAllText(paths.Layer("root", 2), "half a layer");
        Restart();
        await snapshots.SettleAsync(null, null, default);
        Assert.That(await snapshots.RestoreAsync(default), Is.Null);
        await ReadAsync(1);
        await RestoreAsync("before-restore", keep: false);
        await ReadAsync(2);
    }

    [Test]
    public async Task Without_room_nothing_begins_and_nothing_is_lost()
    {
        await WriteAsync(1);
        await CreateAsync("a");
        await WriteAsync(2);
        files.AvailableBytes = 2 * DiskFiles.MiB;
        var fault = (await Assert.ThrowsAsync<DiskUnavailableException>(() => CreateAsync("b")))!;
        Assert.That(fault.Message, Does.Contain("free space"));
        Assert.That(snapshots.State.Snapshots.Select(snapshot => snapshot.Name), Is.EqualTo((string[])["a"]));

        snapshots.BeginRestore("a", keepPresent: true);
        Assert.That(await snapshots.RestoreAsync(default), Does.Contain("free space"));
        Assert.That(snapshots.State.Restore, Is.Null);
        await ReadAsync(2);

        files.AvailableBytes = 1 * DiskFiles.MiB;
        snapshots.Delete("a");
        Assert.That(await snapshots.CompactAsync(null, default), Is.False, "a merge needs room before it gives some back");
        await ReadAsync(2);
    }

    [Test]
    public async Task What_cannot_be_is_refused_in_words()
    {
        await CreateAsync("a");
        Assert.That((await Assert.ThrowsAsync<SnapshotRefusedException>(() => CreateAsync("a")))!.Message, Does.Contain("already"));
        Assert.That((await Assert.ThrowsAsync<SnapshotRefusedException>(() => CreateAsync("../b")))!.Message, Does.Contain("'../b'"));
        Assert.That(Assert.Throws<SnapshotRefusedException>(() => snapshots.Delete("b"))!.IsMissing);
        Assert.That(Assert.Throws<SnapshotRefusedException>(() => snapshots.BeginRestore("b", true))!.IsMissing);
        Assert.That((await Assert.ThrowsAsync<SnapshotRefusedException>(() => snapshots.ReadAsync("a", null, null, default)))!.Message, Does.Contain("data, root"));
        File.WriteAllText(paths.Snapshots, "{");
        Restart();
        Assert.That(() => snapshots.State, Throws.TypeOf<DiskUnavailableException>());
        await Assert.ThrowsAsync<DiskUnavailableException>(() => RootAsync());
    }

    [Test]
    public async Task An_exported_disk_is_one_sound_file_with_what_the_snapshot_has()
    {
        await WriteAsync(1);
        await CreateAsync("a");
        await WriteAsync(2);
        await CreateAsync("b");
        var target = files.Combine("out.qcow2");
        using (var reading = await snapshots.ReadAsync("a", "root", null, default))
        {
            snapshots.Delete("a");
            Assert.That(await snapshots.CompactAsync(null, default), Is.False, "its files stay until it was read");
            await reading.WriteAsync(default);
            File.Move(reading.Path, target);
        }

        Command.Run("qemu-img", "check", "-q", target);
        Assert.That(Command.Run("qemu-img", "info", target), Does.Not.Contain("backing file"));
        Command.Run("qemu-io", "-r", "-f", "qcow2", "-c", "read -P 1 1M 64k", target);
        Assert.That(await snapshots.CompactAsync(null, default), Is.True);
    }

    // The guest's QEMU could write any header; what is below comes from the node's own notes.
    [Test]
    public async Task A_header_that_was_tampered_with_shows_nothing_of_the_node()
    {
        await WriteAsync(1);
        await CreateAsync("a");
        var secret = files.Raw("secret");
        Command.Run("qemu-img", "rebase", "-u", "-f", "qcow2", "-F", "raw", "-b", secret, paths.Disk("root"));
        using var reading = await snapshots.ReadAsync("a", "root", null, default);
        await reading.WriteAsync(default);
        Command.Run("qemu-io", "-r", "-f", "qcow2", "-c", "read -P 0 0 512", reading.Path);
    }

    [Test]
    public async Task A_disk_grows_over_its_snapshots_and_stays_so_when_it_goes_back()
    {
        await WriteAsync(1);
        await CreateAsync("a");
        await RootAsync("16Mi");
        await WriteAsync(2);
        await RestoreAsync("a", keep: false);
        var disk = await RootAsync("16Mi");
        Assert.That(await DiskInspection.SizeAsync(disk.Path, disk.Format, User, default), Is.EqualTo(16 * DiskFiles.MiB));
        await ReadAsync(1);
    }

    private void Restart() => snapshots = new VmSnapshots(paths, User, new SnapshotTools(disks, TimeProvider.System, NullLogger.Instance));

    private Task<VmSnapshot> CreateAsync(string name) => snapshots.CreateAsync(name, isScheduled: false, monitor: null, freeze: null, default);

    private async Task RestoreAsync(string name, bool keep)
    {
        snapshots.BeginRestore(name, keep);
        Assert.That(await snapshots.RestoreAsync(default), Is.Null);
        await CompactAsync();
    }

    private async Task CompactAsync()
    {
        while (await snapshots.CompactAsync(null, default))
        {
        }
    }

    private static VmSnapshot Unfinished(string name) => new() { Name = name, CreatedAt = DateTimeOffset.UnixEpoch, Phase = SnapshotPhase.Making, Disks = [] };

    private List<string> LayersOf(string disk) =>
        [.. Directory.GetFiles(Path.GetDirectoryName(paths.Disk(disk))!).Where(file => Path.GetFileName(file).Split('.')[0] == disk && !file.EndsWith(".json", StringComparison.Ordinal)).Order()];

    private Task<QemuDisk> RootAsync(string? size = null) =>
        disks.EnsureAsync(new VirtualDiskSpec { Name = "root", Size = size is null ? null : Guests.QuantityOf(size) }, began, paths, User, default);

    private Task<QemuDisk> DataAsync() =>
        disks.EnsureAsync(new VirtualDiskSpec { Name = "data", Size = Guests.QuantityOf("4Mi"), Empty = new EmptyDiskSource() }, null, paths, User, default);

    private async Task WriteAsync(int value)
    {
        foreach (var disk in (QemuDisk[])[await RootAsync(), await DataAsync()])
        {
            Command.Run("qemu-io", "-f", disk.Format == DiskFormat.Raw ? "raw" : "qcow2", "-c", $"write -P {value} 1M 64k", disk.Path);
        }
    }

    // By what is written down, as QEMU would be given it, not by the headers.
    private async Task ReadAsync(int value)
    {
        foreach (var disk in (QemuDisk[])[await RootAsync(), await DataAsync()])
        {
            var target = files.Combine("read.qcow2");
            await SnapshotFiles.ExportAsync(disk, target, User, default);
            Command.Run("qemu-io", "-r", "-f", "qcow2", "-c", $"read -P {value} 1M 64k", target);
        }
    }
}
