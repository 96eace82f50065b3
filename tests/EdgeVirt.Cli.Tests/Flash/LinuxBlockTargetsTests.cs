using EdgeVirt.Cli.Flash;
using EdgeVirt.Testing;

namespace EdgeVirt.Cli.Tests.Flash;

/// <summary>Disks as trees of /sys show them.</summary>
public sealed class LinuxBlockTargetsTests
{
    private TempDirectory directory = null!;

    [SetUp]
    public void MakeComputer()
    {
        directory = new TempDirectory();
        Disk("nvme0n1", "pci0000:00/0000:00:1d.0/nvme/nvme0", "259:0", ("size", "1000215216"), ("device/model", "Samsung SSD 980  "), ("device/serial", "S64DNX"));
        Partition("nvme0n1", "nvme0n1p1", "259:1");
        Partition("nvme0n1", "nvme0n1p2", "259:2");
        Link("nvme0n1/nvme0n1p2", "dm-0");
        Disk("dm-0", "virtual", "254:0", ("size", "999000000"));
        Disk("sda", "pci0000:00/ata1/host0/target0:0:0/0:0:0:0", "8:0", ("size", "3907029168"), ("device/vendor", "ATA     "), ("device/model", "WDC WD20EZBX"));
        Disk("sdb", "pci0000:00/usb1/1-4/1-4:1.0/host6/target6:0:0/6:0:0:0", "8:16", ("size", "62333952"), ("removable", "1"), ("device/vendor", "Generic "), ("device/model", "STORAGE DEVICE  "));
        File.WriteAllText(directory.Combine("sys/devices/pci0000:00/usb1/1-4/serial"), "000000000821\n");
        Partition("sdb", "sdb1", "8:17");
        Disk("sdc", "pci0000:00/usb1/1-5/1-5:1.0/host7/target7:0:0/7:0:0:0", "8:32", ("size", "0"), ("removable", "1"));
        Disk("sdd", "pci0000:00/usb2/2-1/2-1:1.0/host8/target8:0:0/8:0:0:0", "8:48", ("size", "976773168"), ("device/model", "Portable SSD"));
        Partition("sdd", "sdd1", "8:49");
        Disk("mmcblk0", "platform/mmc_host/mmc0/mmc0:aaaa", "179:0", ("size", "31116288"), ("device/type", "SD"), ("device/name", "SC16G"), ("device/serial", "0x1b2c3d4e"), ("ro", "1"));
        Disk("mmcblk1", "platform/mmc_host/mmc1/mmc1:0001", "179:32", ("size", "61071360"), ("device/type", "MMC"), ("device/name", "DG4032"));
        Disk("mmcblk1boot0", "platform/mmc_host/mmc1/mmc1:0001/b", "179:64", ("size", "8192"));
        Disk("loop0", "virtual", "7:0", ("size", "2048"));
        Directory.CreateDirectory(directory.Combine("proc/self"));
        File.WriteAllText(directory.Combine("proc/self/mountinfo"), """
            22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/mapper/root rw
            25 22 259:1 / /boot/efi rw - vfat /dev/nvme0n1p1 rw
            31 22 8:49 / /media/my\040disk rw,nosuid shared:9 - exfat /dev/sdd1 rw
            """ + "\n");
        File.WriteAllText(directory.Combine("proc/swaps"), "Filename Type Size Used Priority\n");
    }

    [TearDown]
    public void Remove() => directory.Dispose();

    [Test]
    public void Disks_have_model_size_bus_and_serial()
    {
        var card = Named("sdb");
        Assert.That((card.Bytes, card.Bus, card.Vendor, card.Model, card.Serial, card.IsRemovable), Is.EqualTo((62333952L * 512, "usb", "Generic", "STORAGE DEVICE", "000000000821", true)));
        var nvme = Named("nvme0n1");
        Assert.That((nvme.Bus, nvme.Model, nvme.Serial, nvme.IsRemovable), Is.EqualTo(("nvme", "Samsung SSD 980", "S64DNX", false)));
        var sd = Named("mmcblk0");
        Assert.That((sd.Bus, sd.Model, sd.Serial, sd.IsRemovable, sd.IsReadOnly), Is.EqualTo(("mmc", "SC16G", "0x1b2c3d4e", true, true)));
        Assert.That((Named("mmcblk1").IsRemovable, Named("sda").Bus, Named("sdd").IsRemovable), Is.EqualTo((false, "sata", true)));
        Assert.That(Targets().List().Select(disk => disk.Name), Is.EquivalentTo(new[] { "nvme0n1", "sda", "sdb", "sdc", "sdd", "mmcblk0", "mmcblk1", "loop0" }));
    }

    [Test]
    public void What_the_computer_runs_from_is_known_also_through_another_device()
    {
        Assert.That((Named("nvme0n1").Use, Named("sdd").Use, Named("sdb").Use), Is.EqualTo((DiskUse.System, DiskUse.Mounted, DiskUse.Free)));
        Assert.That(Named("nvme0n1").UsedFor, Is.EqualTo(new[] { "/boot/efi", "/", "part of dm-0" }));
        Assert.That(Named("sdd").UsedFor, Is.EqualTo(new[] { "/media/my disk" }));
    }

    [Test]
    public void A_disk_with_swap_or_in_a_RAID_is_in_use()
    {
        File.AppendAllText(directory.Combine("proc/swaps"), "/dev/sdb1 partition 1000 0 -2\n");
        Link("sda", "md0");
        Assert.That((Named("sdb").Use, Named("sda").Use), Is.EqualTo((DiskUse.System, DiskUse.Mounted)));
    }

    [Test]
    public void A_file_system_without_a_number_of_a_disk_is_known_by_its_source()
    {
        File.AppendAllText(directory.Combine("proc/self/mountinfo"), "40 22 0:45 /@ /data rw - btrfs /dev/sda rw\n");
        Assert.That(Named("sda").UsedFor, Is.EqualTo(new[] { "/data" }));
    }

    [Test]
    public void A_partition_is_refused_and_its_disk_named()
    {
        var fault = Assert.Throws<CliException>(() => Targets().Find(directory.Combine("dev/sdb1")));
        Assert.That((fault.ExitCode, fault.Hint), Is.EqualTo((ExitCodes.TargetRefused, $"If that disk is the one: --to {directory.Combine("dev/sdb")}.")));
        Assert.That(Targets().Find(directory.Combine("dev/sdb"))?.Name, Is.EqualTo("sdb"));
        Assert.That(Targets().Find(directory.Combine("some.img")), Is.Null);
    }

    [TestCase("sdb", null)]
    [TestCase("loop0", null)]
    [TestCase("nvme0n1", "this computer runs from")]
    [TestCase("sdd", "in use (/media/my disk)")]
    [TestCase("sda", "built into this computer")]
    [TestCase("mmcblk1", "built into this computer")]
    [TestCase("mmcblk0", "write-protected")]
    [TestCase("sdc", "no card in")]
    [TestCase("loop0", "too small", 2 << 20)]
    public async Task What_must_not_be_overwritten_is_refused(string name, string? why, int image = 1 << 20)
    {
        using var cli = new CliRun { Disks = Targets() };
        var outcome = await cli.RunAsync("flash", Image(image), "--to", directory.Combine("dev", name));
        Assert.That(outcome.Error, Does.Contain(why ?? "cannot be opened"));
        Assert.That(outcome.Code, Is.EqualTo(why is null ? ExitCodes.TargetFailed : ExitCodes.TargetRefused));
    }

    [TestCase("sda", true)]
    [TestCase("sdA", false)]
    [TestCase("", false)]
    [TestCase("yes", false)]
    public async Task Only_the_exact_name_overrides(string typed, bool goesOn)
    {
        using var script = new CliRun { Disks = Targets() };
        var outcome = await script.RunAsync("flash", Image(1 << 20), "--to", directory.Combine("dev/sda"), "--override", typed);
        Assert.That(outcome.Code, Is.EqualTo(goesOn ? ExitCodes.TargetFailed : ExitCodes.TargetRefused), outcome.Error);
        using var person = new CliRun { Disks = Targets(), AtTerminal = true, Input = typed + "\n" };
        outcome = await person.RunAsync("flash", Image(1 << 20), "--to", directory.Combine("dev/sda"));
        Assert.That(outcome.Code, Is.EqualTo(goesOn ? ExitCodes.TargetFailed : ExitCodes.TargetRefused), outcome.Error);
        Assert.That(outcome.Error, Does.Contain("Type its exact name (sda)").And.Contain("WDC WD20EZBX"));
    }

    [Test]
    public async Task The_list_has_only_what_can_be_taken_out_and_is_free()
    {
        using var cli = new CliRun { Disks = Targets() };
        var outcome = await cli.RunAsync("flash", "--list");
        Assert.That(outcome.Out, Does.Match("dev/sdb +29.7 GiB +usb +Generic STORAGE DEVICE +000000000821\n").And.Match("dev/mmcblk0 +14.8 GiB +mmc +SC16G +0x1b2c3d4e\n"));
        Assert.That(outcome.Out, Does.Not.Contain("nvme").And.Not.Contain("sda").And.Not.Contain("sdc").And.Not.Contain("sdd").And.Not.Contain("mmcblk1"));
        Assert.That(outcome.Error, Does.Contain("Not shown: 4"));
        outcome = await cli.RunAsync("flash", "--list", "-o", "json");
        Assert.That(outcome.Out, Does.Contain("\"serial\": \"000000000821\""));
    }

    private string Image(int bytes)
    {
        var path = directory.Combine($"{bytes}.img");
        File.WriteAllBytes(path, new byte[bytes]);
        return path;
    }

    private TargetDisk Named(string name) => Targets().List().Single(disk => disk.Name == name);

    private LinuxBlockTargets Targets() => new(directory.Combine("sys"), directory.Combine("proc"), directory.Combine("dev"));

    private void Disk(string name, string parent, string number, params (string File, string Text)[] files)
    {
        var real = Directory.CreateDirectory(directory.Combine("sys/devices", parent, "block", name)).FullName;
        Directory.CreateDirectory(directory.Combine("sys/block"));
        File.CreateSymbolicLink(directory.Combine("sys/block", name), real);
        Directory.CreateDirectory(directory.Combine("sys/dev/block"));
        File.CreateSymbolicLink(directory.Combine("sys/dev/block", number), real);
        foreach (var (file, text) in files)
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.Combine(real, file))!);
            File.WriteAllText(Path.Combine(real, file), text + "\n");
        }
    }

    private void Partition(string disk, string name, string number)
    {
        var real = Directory.CreateDirectory(Path.Combine(new DirectoryInfo(directory.Combine("sys/block", disk)).ResolveLinkTarget(true)!.FullName, name)).FullName;
        File.WriteAllText(Path.Combine(real, "partition"), name[^1..] + "\n");
        File.CreateSymbolicLink(directory.Combine("sys/dev/block", number), real);
    }

    private void Link(string place, string holder)
    {
        Directory.CreateDirectory(directory.Combine("sys/block", place, "holders"));
        Directory.CreateDirectory(directory.Combine("sys/block", place, "holders", holder));
    }
}
