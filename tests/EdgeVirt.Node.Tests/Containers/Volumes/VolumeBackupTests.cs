using EdgeVirt.Linux;
using EdgeVirt.Linux.Files;
using EdgeVirt.Linux.Storage;
using EdgeVirt.Node.Containers.Volumes;
using EdgeVirt.Testing;

namespace EdgeVirt.Node.Tests.Containers.Volumes;

/// <summary>Backups: what is made anew is the same, with owners, links and attributes, also by GNU tar and from it.</summary>
[Category("root")]
internal sealed class VolumeBackupTests
{
    private TempDirectory folder = null!;
    private string from = null!;
    private string to = null!;

    // On ext4, as volumes are, so that there are attributes of all kinds.
    [SetUp]
    public async Task SetUp()
    {
        folder = new TempDirectory();
        await Ext4Image.CreateAsync(folder.Combine("disk.ext4"), 32 << 20, reserve: false, default);
        var mount = folder.Subdirectory("mount");
        await Ext4Image.MountAsync(folder.Combine("disk.ext4"), mount, default);
        from = Directory.CreateDirectory(Path.Combine(mount, "source")).FullName;
        to = Directory.CreateDirectory(Path.Combine(mount, "to")).FullName;
    }

    [TearDown]
    public void TearDown()
    {
        Mounts.Unmount(folder.Combine("mount"), detach: true);
        folder.Dispose();
    }

    [Test]
    public async Task A_tree_comes_back_with_owners_modes_times_links_and_fifos()
    {
        await MakeTreeAsync();
        using var tar = await BackUpAsync();
        await VolumeRestore.RunAsync(tar, to, default);
        Assert.That(await ListAsync(to), Is.EqualTo(await ListAsync(from)));
        Assert.That(File.ReadAllText(Path.Combine(to, "second")), Is.EqualTo("one\n"));
    }

    [Test]
    public async Task Attributes_capabilities_and_access_lists_come_back_and_what_steers_overlayfs_does_not()
    {
        await MakeTreeAsync();
        await MakeAttributesAsync();
        var expected = await AttributesAsync(from);
        Assert.That(expected, Does.Contain("security.capability").And.Contain("user.bytes").And.Contain("system.posix_acl_default"));
        await RunAsync($"setfattr -n trusted.overlay.opaque -v y {from}/a; setfattr -n trusted.other -v y {from}/a");
        using var tar = await BackUpAsync();
        await VolumeRestore.RunAsync(tar, to, default);
        Assert.That(await AttributesAsync(to), Is.EqualTo(expected));
        Assert.That(await RunAsync($"getcap {to}/a/b/f"), Does.Contain("cap_net_bind_service=ep"));
        Assert.That(await ListAsync(to), Is.EqualTo(await ListAsync(from)), "an access list changes modes");
    }

    [Test]
    public async Task Gnu_tar_reads_a_backup_with_all_of_it()
    {
        await MakeTreeAsync();
        await MakeAttributesAsync();
        using var tar = await BackUpAsync();
        await File.WriteAllBytesAsync(folder.Combine("backup.tar"), tar.ToArray());
        var said = await RunAsync($"tar --xattrs '--xattrs-include=*' -xpf {folder.Combine("backup.tar")} -C {to} 2>&1");
        Assert.That(said, Is.Empty);
        Assert.That(await AttributesAsync(Path.Combine(to, "source")), Is.EqualTo(await AttributesAsync(from)));
        Assert.That(await ListAsync(Path.Combine(to, "source")), Is.EqualTo(await ListAsync(from)));
    }

    [Test]
    public async Task Bsdtar_reads_a_backup_with_attributes_and_capabilities()
    {
        await MakeTreeAsync();
        await MakeAttributesAsync(accessLists: false);
        using var tar = await BackUpAsync();
        await File.WriteAllBytesAsync(folder.Combine("backup.tar"), tar.ToArray());
        Assert.That(await RunAsync($"bsdtar --xattrs -xpf {folder.Combine("backup.tar")} -C {to} 2>&1"), Is.Empty);
        Assert.That(await AttributesAsync(Path.Combine(to, "source")), Is.EqualTo(await AttributesAsync(from)));
        Assert.That(await ListAsync(Path.Combine(to, "source")), Is.EqualTo(await ListAsync(from)));
    }

    [TestCase("tar --xattrs '--xattrs-include=*' --format=posix", true)]
    [TestCase("bsdtar --xattrs --format=pax", false)]
    public async Task What_other_tars_wrote_is_restored_with_all_of_it(string make, bool accessLists)
    {
        await MakeTreeAsync();
        await MakeAttributesAsync(accessLists);
        await RunAsync($"{make} -cf {folder.Combine("other.tar")} -C {folder.Combine("mount")} source");
        await using var tar = File.OpenRead(folder.Combine("other.tar"));
        await VolumeRestore.RunAsync(tar, to, default);
        Assert.That(await AttributesAsync(to), Is.EqualTo(await AttributesAsync(from)));
        Assert.That(await ListAsync(to), Is.EqualTo(await ListAsync(from)));
    }

    [Test]
    public async Task Long_names_old_times_and_large_owners_come_back()
    {
        var name = string.Concat(Enumerable.Repeat("läng", 40));
        await RunAsync($"cd {from}; echo x > {name}; ln -s {name}/{name} link; echo old > old; chown 3000000:4000000000 old; touch -d @-1000.25 old; echo late > late; touch -d @1700000000.123456789 late");
        using var tar = await BackUpAsync();
        await VolumeRestore.RunAsync(tar, to, default);
        Assert.That(await ListAsync(to), Is.EqualTo(await ListAsync(from)));
    }

    [TestCase(3000)]
    [TestCase(100)]
    [TestCase(0)]
    public async Task What_is_cut_off_is_refused(int length)
    {
        File.WriteAllText(Path.Combine(from, "f"), new string('x', 5000));
        using var tar = await BackUpAsync();
        using var half = new MemoryStream(tar.ToArray()[..length]);
        Assert.That(() => VolumeRestore.RunAsync(half, to, default), Throws.InstanceOf<InvalidDataException>());
    }

    [TestCase("../outside")]
    [TestCase("source/../../outside")]
    [TestCase("other/f")]
    public void What_leads_elsewhere_is_refused(string name)
    {
        using var tar = new MemoryStream(new Images.TarBuilder().File(name).ToArray());
        Assert.That(() => VolumeRestore.RunAsync(tar, to, default), Throws.InstanceOf<InvalidDataException>());
    }

    private async Task MakeTreeAsync() => await RunAsync($"""
        cd {from}; mkdir -p a/b; echo one > a/b/f; chown -R 1000:2000 a; chmod 4755 a/b/f; ln a/b/f second; ln -s ../nowhere a/link
        mkfifo -m 640 pipe; : > empty; touch -d @1000000000.5 a; chmod 2770 .; chown 0:4242 .
        """);

    // Values that are no text, as a line end and no UTF-8 in them.
    private async Task MakeAttributesAsync(bool accessLists = true) => await RunAsync($"""
        cd {from}; setfattr -n user.bytes -v 0x00ff0a3d80 empty; setfattr -n user.text -v hello a; setfattr -n user.none empty
        setcap cap_net_bind_service+ep a/b/f
        {(accessLists ? "" : "exit 0")}
        setfattr -n system.posix_acl_access -v 0x0200000001000600ffffffff02000400d204000004000400ffffffff10000600ffffffff20000400ffffffff empty
        setfattr -n system.posix_acl_default -v 0x0200000001000700ffffffff02000500d204000004000500ffffffff10000700ffffffff20000000ffffffff a/b
        """);

    private async Task<MemoryStream> BackUpAsync()
    {
        var tar = new MemoryStream();
        await TreeSender.BackUpAsync(from, tar, default);
        tar.Position = 0;
        return tar;
    }

    private static Task<string> AttributesAsync(string path) => RunAsync($"cd {path}; getfattr -R -h -d -m - -e hex . | sort");

    // Type and mode, owner, group, names, size but for directories, time of files and directories, target.
    private static Task<string> ListAsync(string path) =>
        RunAsync($"cd {path}; find . -printf '%y %m %U %G %n %p %l ' '(' -type d -printf '%T@' -o -printf '%s %T@' ')' -printf '\\n' | sort -k6");

    private static async Task<string> RunAsync(string script) => (await ProcessRunner.RunAsync("/bin/sh", ["-ec", script], TimeSpan.FromSeconds(30))).Output;
}
