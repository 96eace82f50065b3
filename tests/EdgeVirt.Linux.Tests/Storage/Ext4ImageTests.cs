using EdgeVirt.Linux.Storage;

namespace EdgeVirt.Linux.Tests.Storage;

[Category("root")]
internal sealed class Ext4ImageTests
{
    private const int Mebi = 1 << 20;
    private string folder = null!;

    private string Image => Path.Combine(folder, "disk.ext4");

    private string Target => Path.Combine(folder, "mount");

    [SetUp]
    public void SetUp()
    {
        folder = Directory.CreateTempSubdirectory("ext4-").FullName;
        Directory.CreateDirectory(Target);
    }

    [TearDown]
    public void TearDown()
    {
        Mounts.UnmountBelow(folder, detach: true);
        Directory.Delete(folder, recursive: true);
    }

    [Test]
    public async Task A_full_image_refuses_with_no_space_and_takes_again_when_it_has_grown()
    {
        await Ext4Image.CreateAsync(Image, 16 * Mebi, reserve: false, default);
        await Ext4Image.MountAsync(Image, Target, default);
        var full = Assert.Throws<IOException>(() => File.WriteAllBytes(Path.Combine(Target, "big"), new byte[20 * Mebi]));
        Assert.That(full!.Message, Does.Contain("No space").IgnoreCase);

        // While it is mounted only who has CAP_SYS_RESOURCE may.
        if (!await Ext4Image.GrowAsync(Image, 48 * Mebi, reserve: true, default))
        {
            Assert.That(new FileInfo(Image).Length, Is.EqualTo(16 * Mebi), "as before");
            Mounts.Unmount(Target);
            await Eventually(() => LoopDevice.Find(Image) is null);
            Assert.That(await Ext4Image.GrowAsync(Image, 48 * Mebi, reserve: true, default), Is.True);
            await Ext4Image.MountAsync(Image, Target, default);
        }

        File.WriteAllBytes(Path.Combine(Target, "big"), new byte[20 * Mebi]);
        Assert.That(new FileInfo(Path.Combine(Target, "big")).Length, Is.EqualTo(20 * Mebi));
    }

    [Test]
    public async Task Data_outlive_an_unmount_and_the_device_goes_with_the_mount()
    {
        await Ext4Image.CreateAsync(Image, 16 * Mebi, reserve: true, default);
        await Ext4Image.MountAsync(Image, Target, default);
        File.WriteAllText(Path.Combine(Target, "f"), "kept");
        Assert.That(LoopDevice.Find(Image), Does.StartWith("/dev/loop"));
        Assert.That(() => Mounts.Unmount(Target), Is.True);
        Assert.That(() => LoopDevice.Find(Image), Is.Null.After(2000, 10));
        await Ext4Image.MountAsync(Image, Target, default);
        Assert.That(File.ReadAllText(Path.Combine(Target, "f")), Is.EqualTo("kept"));
    }

    [Test]
    public async Task One_file_has_one_device_however_often_it_is_mounted()
    {
        var second = Directory.CreateDirectory(Path.Combine(folder, "second")).FullName;
        await Ext4Image.CreateAsync(Image, 16 * Mebi, reserve: false, default);
        await Ext4Image.MountAsync(Image, Target, default);
        await Ext4Image.MountAsync(Image, second, default);
        File.WriteAllText(Path.Combine(Target, "f"), "seen");
        Assert.That(File.ReadAllText(Path.Combine(second, "f")), Is.EqualTo("seen"));
        Assert.That(Mounts.List().Where(mount => mount.Target.StartsWith(folder, StringComparison.Ordinal)).Select(mount => mount.Source).Distinct().Count(), Is.EqualTo(1));
    }

    private static async Task Eventually(Func<bool> holds)
    {
        for (var tries = 0; !holds(); tries++)
        {
            Assert.That(tries, Is.LessThan(200));
            await Task.Delay(10);
        }
    }

    [Test]
    public void What_the_disk_has_no_place_for_is_refused_and_leaves_nothing()
    {
        var free = new DriveInfo(folder).AvailableFreeSpace;
        Assert.That(() => Ext4Image.CreateAsync(Image, free + (1L << 40), reserve: true, default), Throws.InstanceOf<IOException>());
        Assert.That(File.Exists(Image), Is.False);
    }

    [Test]
    public async Task A_damaged_file_system_is_told_and_not_mounted()
    {
        await Ext4Image.CreateAsync(Image, 16 * Mebi, reserve: false, default);
        File.WriteAllBytes(Image, new byte[16 * Mebi]);
        Assert.That(() => Ext4Image.MountAsync(Image, Target, default), Throws.InstanceOf<IOException>().With.Message.Contains("restore a backup"));
        Assert.That(Mounts.IsMounted(Target), Is.False);
    }
}
