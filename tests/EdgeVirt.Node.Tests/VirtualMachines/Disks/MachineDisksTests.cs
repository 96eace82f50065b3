using System.Security.Cryptography;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Linux.Files;
using EdgeVirt.Node.Tests.VirtualMachines.Qemu;
using EdgeVirt.Node.VirtualMachines;
using EdgeVirt.Node.VirtualMachines.Disks;
using EdgeVirt.Node.VirtualMachines.Qemu;
using EdgeVirt.Testing;

namespace EdgeVirt.Node.Tests.VirtualMachines.Disks;

/// <summary>The store of base disks and the disks of machines, with the real qemu-img.</summary>
[Category("root")]
public sealed class MachineDisksTests
{
    private static readonly Unprivileged User = new(Unprivileged.FirstUser + 9);
    private DiskFiles files = null!;
    private MachineDisks disks = null!;
    private VmPaths paths = null!;

    [SetUp]
    public void SetUp()
    {
        files = new DiskFiles();
        disks = new MachineDisks(files.Bases, files.Inspection);
        paths = new VmPaths(files.Subdirectory("machine"), files.Combine("run"));
        File.SetUnixFileMode(paths.DataDirectory, File.GetUnixFileMode(paths.DataDirectory) | UnixFileMode.OtherExecute);
    }

    [TearDown]
    public void TearDown() => files.Dispose();

    [Test]
    public async Task A_base_disk_is_kept_once_under_its_content()
    {
        var source = files.Qcow2("a");
        var added = await files.AddAsync(source);
        Assert.That(added, Is.EqualTo(new BaseDisk(Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(source))), DiskFormat.Qcow2, 8 * DiskFiles.MiB)));
        Assert.That(await files.AddAsync(source), Is.EqualTo(added));
        Assert.That(files.Bases.Find(added.Sha256), Is.EqualTo(added));
        Assert.That(File.ReadAllBytes(files.Bases.PathOf(added.Sha256)), Is.EqualTo(File.ReadAllBytes(source)));
        Assert.That(File.GetUnixFileMode(files.Bases.PathOf(added.Sha256)) & (UnixFileMode.UserWrite | UnixFileMode.GroupWrite | UnixFileMode.OtherWrite), Is.EqualTo(UnixFileMode.None));
        Assert.That(Directory.GetFiles(files.Combine("bases")), Has.Length.EqualTo(2), "file and record, nothing else");
    }

    [Test]
    public async Task A_refused_disk_leaves_nothing()
    {
        files.Raw("host");
        await Assert.ThrowsAsync<DiskRefusedException>(() => files.AddAsync(files.Qcow2("a", 8, "-b", files.Combine("host"), "-F", "raw")));
        Assert.That(Directory.GetFiles(files.Combine("bases")), Is.Empty);
        files.AvailableBytes = DiskFiles.MiB;
        await Assert.ThrowsAsync<DiskUnavailableException>(() => files.AddAsync(files.Raw("b")));
        Assert.That(Directory.GetFiles(files.Combine("bases")), Is.Empty);
    }

    [Test]
    public async Task Zeros_of_a_raw_disk_take_no_room()
    {
        var added = await files.AddAsync(files.Raw("a", 64));
        var blocks = long.Parse(Command.Run("stat", "-c", "%b", files.Bases.PathOf(added.Sha256)).Trim(), null);
        Assert.That(blocks * 512, Is.LessThan(1 * DiskFiles.MiB));
        Assert.That(new FileInfo(files.Bases.PathOf(added.Sha256)).Length, Is.EqualTo(64 * DiskFiles.MiB));
    }

    [Test]
    public async Task A_disk_is_an_overlay_of_its_users_own()
    {
        foreach (var source in (string[])[files.Qcow2("a"), files.Raw("b")])
        {
            var began = await files.AddAsync(source);
            var disk = await EnsureAsync(Spec($"disk-{began.Format.ToString().ToLowerInvariant()}"), began);
            Assert.That((disk.Format, disk.ReadOnly, disk.Backing), Is.EqualTo((DiskFormat.Qcow2, false, new DiskFile(files.Bases.PathOf(began.Sha256), began.Format))));
            Assert.That(Ownership.Of(disk.Path), Is.EqualTo((User.User, User.User)));
            Assert.That(File.GetUnixFileMode(disk.Path), Is.EqualTo(UnixFileMode.UserRead | UnixFileMode.UserWrite));
            Assert.That(await DiskInspection.SizeAsync(disk.Path, disk.Format, User, default), Is.EqualTo(8 * DiskFiles.MiB));
        }

        Assert.That(MachineDisks.BasesOf(paths).Count(), Is.EqualTo(2));
    }

    [Test]
    public async Task What_was_written_stays_and_another_source_changes_nothing()
    {
        var disk = await EnsureAsync(Spec("root"), await files.AddAsync(files.Raw("a")));
        Command.Run("qemu-io", "-f", "qcow2", "-c", "write -P 7 1M 64k", disk.Path);
        var again = await EnsureAsync(Spec("root"), await files.AddAsync(files.Qcow2("b", 16)));
        Assert.That(again, Is.EqualTo(disk));
        Command.Run("qemu-io", "-f", "qcow2", "-c", "read -P 7 1M 64k", disk.Path);
    }

    [Test]
    public async Task A_disk_grows_and_never_shrinks()
    {
        var began = await files.AddAsync(files.Qcow2("a"));
        var refused = (await Assert.ThrowsAsync<DiskRefusedException>(() => EnsureAsync(Spec("root", "4Mi"), began)))!;
        Assert.That((refused.Reason, refused.Message), Is.EqualTo((DiskRefusedReason.Shrinks, refused.Message)));

        var disk = await EnsureAsync(Spec("root", "12Mi"), began);
        Assert.That(await DiskInspection.SizeAsync(disk.Path, disk.Format, User, default), Is.EqualTo(12 * DiskFiles.MiB));
        await EnsureAsync(Spec("root", "20Mi"), began);
        Assert.That(await DiskInspection.SizeAsync(disk.Path, disk.Format, User, default), Is.EqualTo(20 * DiskFiles.MiB));
        await EnsureAsync(Spec("root", "10Mi"), began);
        Assert.That(await DiskInspection.SizeAsync(disk.Path, disk.Format, User, default), Is.EqualTo(20 * DiskFiles.MiB));
        Assert.That(MachineDisks.Find(paths, "root")!.VirtualBytes, Is.EqualTo(20 * DiskFiles.MiB));

        var tooLarge = (await Assert.ThrowsAsync<DiskRefusedException>(() => EnsureAsync(Spec("root", "5Gi"), began)))!;
        Assert.That(tooLarge.Reason, Is.EqualTo(DiskRefusedReason.TooLarge));
    }

    [Test]
    public async Task An_empty_disk_is_raw_and_grows()
    {
        var disk = await EnsureAsync(Spec("data", "3Mi", empty: true), null);
        Assert.That((disk.Format, disk.Backing, new FileInfo(disk.Path).Length), Is.EqualTo((DiskFormat.Raw, (DiskFile?)null, 3 * DiskFiles.MiB)));
        File.WriteAllText(disk.Path, "written");
        using (var file = File.OpenWrite(disk.Path))
        {
            file.SetLength(3 * DiskFiles.MiB);
        }

        await EnsureAsync(Spec("data", "5Mi", empty: true), null);
        Assert.That(new FileInfo(disk.Path).Length, Is.EqualTo(5 * DiskFiles.MiB));
        Assert.That(File.ReadAllBytes(disk.Path).Take(7), Is.EqualTo("written"u8.ToArray()));
    }

    [Test]
    public async Task A_read_only_disk_is_the_base_itself()
    {
        var began = await files.AddAsync(files.Qcow2("a"));
        var disk = await EnsureAsync(Spec("tools") with { ReadOnly = true }, began);
        Assert.That(disk, Is.EqualTo(new QemuDisk("tools", files.Bases.PathOf(began.Sha256), DiskFormat.Qcow2, ReadOnly: true)));
    }

    [Test]
    public async Task A_half_made_disk_is_made_anew_and_a_lost_one_is_not()
    {
        var began = await files.AddAsync(files.Qcow2("a"));
        Directory.CreateDirectory(Path.GetDirectoryName(paths.Disk("root"))!);
        File.WriteAllText(paths.Disk("root"), "the rest of an attempt");
        var disk = await EnsureAsync(Spec("root"), began);
        Assert.That(await DiskInspection.SizeAsync(disk.Path, disk.Format, User, default), Is.EqualTo(8 * DiskFiles.MiB));

        File.Delete(disk.Path);
        await Assert.ThrowsAsync<DiskUnavailableException>(() => EnsureAsync(Spec("root"), began));
        File.WriteAllText(disk.Path + ".json", "{");
        await Assert.ThrowsAsync<DiskUnavailableException>(() => EnsureAsync(Spec("root"), began));
    }

    [Test]
    public async Task A_header_that_was_tampered_with_opens_nothing_that_its_user_cannot()
    {
        var began = await files.AddAsync(files.Qcow2("a"));
        var disk = await EnsureAsync(Spec("root"), began);
        var secret = files.Raw("secret");
        File.SetUnixFileMode(secret, UnixFileMode.UserRead);
        Command.Run("qemu-img", "rebase", "-u", "-f", "qcow2", "-F", "raw", "-b", secret, disk.Path);
        var fault = (await Assert.ThrowsAsync<DiskUnavailableException>(() => EnsureAsync(Spec("root", "12Mi"), began)))!;
        Assert.That(fault.Message, Does.Contain("Permission denied"));
    }

    [Test]
    public async Task Base_disks_go_when_nobody_begins_from_them()
    {
        var (used, unused) = (await files.AddAsync(files.Qcow2("a")), await files.AddAsync(files.Qcow2("b", 16)));
        await EnsureAsync(Spec("root"), used);
        files.Bases.CollectGarbage(MachineDisks.BasesOf(paths).ToHashSet());
        Assert.That((files.Bases.Find(used.Sha256), files.Bases.Find(unused.Sha256)), Is.EqualTo((used, (BaseDisk?)null)));
    }

    private static VirtualDiskSpec Spec(string name, string? size = null, bool empty = false) => new()
    {
        Name = name,
        Size = size is null ? null : Guests.QuantityOf(size),
        Empty = empty ? new EmptyDiskSource() : null,
    };

    private Task<QemuDisk> EnsureAsync(VirtualDiskSpec spec, BaseDisk? source) => disks.EnsureAsync(spec, source, paths, User, default);
}
