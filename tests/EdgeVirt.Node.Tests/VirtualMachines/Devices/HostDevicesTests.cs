using EdgeVirt.Contracts.Resources;
using EdgeVirt.Linux;
using EdgeVirt.Node.Containers.Devices;
using EdgeVirt.Node.VirtualMachines;
using EdgeVirt.Node.VirtualMachines.Devices;

namespace EdgeVirt.Node.Tests.VirtualMachines.Devices;

/// <summary>Which devices a machine may have, on a tree as sysfs has it.</summary>
public sealed class HostDevicesTests
{
    private const string Card = "0000:03:00.0";
    private FakeSys sys = null!;

    [SetUp]
    public void SetUp() => sys = new FakeSys();

    [TearDown]
    public void TearDown() => sys.Dispose();

    [TestCase("0403", "6001", null, "1-1.2")]
    [TestCase("0403", "6001", "1-1.2", "1-1.2")]
    [TestCase(null, null, "2-3", "2-3")]
    [TestCase("ABCD", "00ef", null, "2-3")]
    public void Finds_a_USB_device(string? vendor, string? product, string? port, string expected)
    {
        sys.AddUsb("1-1.2", "0403", "6001", "189:5");
        sys.AddUsb("2-3", "abcd", "00ef", "189:130");
        Assert.That(Usb(vendor, product, port).Port, Is.EqualTo(expected));
    }

    [Test]
    public void A_USB_device_that_is_not_there_is_missing_and_one_that_is_not_clear_is_refused()
    {
        sys.AddUsb("1-1", "0403", "6001", "189:5");
        sys.AddUsb("1-2", "0403", "6001", "189:6");
        sys.AddUsb("1-3", "1d6b", "0002", "189:7", kind: "09");
        Assert.That(() => Usb("0403", "6002", null), Throws.TypeOf<DeviceMissingException>().With.Message.Contains("no USB device 0403:6002").And.Message.Contains("plug it in"));
        Assert.That(() => Usb("0403", "6001", "1-3"), Throws.TypeOf<DeviceMissingException>());
        Assert.That(() => Usb("0403", "6001", null), Refusal(ReadyReasons.DeviceRefused, "1-1, 1-2; say which by its port"));
        Assert.That(() => Usb(null, null, "1-3"), Refusal(ReadyReasons.DeviceRefused, "USB hub"));
        Assert.That(Usb("0403", "6001", "1-2").Number, Is.EqualTo(new DeviceNumber(189, 6)));
    }

    [Test]
    public void A_USB_disk_that_the_node_has_mounted_is_refused()
    {
        sys.AddUsb("1-1", "0781", "5581", "189:5");
        FakeSys.Put(Path.Combine(sys.Roots.Sys, "bus/usb/devices/1-1/1-1:1.0/host6/target6:0:0/6:0:0:0/block/sdb/dev"), "8:16\n");
        Assert.That(Usb(null, null, "1-1").Port, Is.EqualTo("1-1"));
        FakeSys.Put(Path.Combine(sys.Roots.Proc, "self/mountinfo"), "25 1 8:16 / /mnt rw - vfat /dev/sdb rw\n");
        Assert.That(() => Usb(null, null, "1-1"), Refusal(ReadyReasons.DeviceInUse, "disk sdb", "mounted at /mnt"));
    }

    [Test]
    public void A_PCI_device_bound_to_vfio_goes_with_a_group_of_bridges_and_harmless_drivers()
    {
        sys.AddPci(Card, "vfio-pci", "7");
        sys.AddPci("0000:02:00.0", "pcieport", "7", "0x060400");
        sys.AddPci("0000:03:00.1", "vfio-pci", "7");
        sys.AddPci("0000:03:00.2", null, "7");
        Assert.That(Pci(managed: false), Is.EqualTo(new HostDevice.Pci("card", Card, "7", IsManaged: false)));
        Assert.That(Pci(managed: true).IsManaged, Is.False, "its administrator bound it, and it stays so");
    }

    [Test]
    public void A_PCI_device_in_use_is_refused_with_what_to_do()
    {
        Assert.That(() => Pci(managed: true), Throws.TypeOf<DeviceMissingException>().With.Message.Contains("lspci -D"));
        sys.AddPci(Card, "e1000e", "7");
        Assert.That(() => Pci(managed: false), Refusal(ReadyReasons.DeviceInUse, "driver e1000e", "managed: true", "driverctl"));
        Assert.That(Pci(managed: true).IsManaged);
        sys.AddPci("0000:03:00.1", "snd_hda_intel", "7");
        Assert.That(() => Pci(managed: true), Refusal(ReadyReasons.DeviceRefused, "shares IOMMU group 7 with 0000:03:00.1 (driver snd_hda_intel)"));
        sys.AddPci("0000:04:00.0", "e1000e", group: null);
        Assert.That(() => sys.Pci.Find("card", new VirtualPciDevice { Address = "0000:04:00.0" }), Refusal(ReadyReasons.DeviceRefused, "no IOMMU", "intel_iommu=on"));
        sys.AddPci("0000:00:1c.0", "pcieport", "1", "0x060400");
        Assert.That(() => sys.Pci.Find("card", new VirtualPciDevice { Address = "0000:00:1c.0" }), Refusal(ReadyReasons.DeviceRefused, "is a bridge"));
    }

    [Test]
    public void What_the_node_lives_by_is_never_taken_from_it()
    {
        sys.AddPci(Card, "e1000e", "7");
        FakeSys.Put(Path.Combine(sys.Device(Card), "net/eth0/flags"), "0x1003\n");
        Assert.That(() => Pci(managed: true), Refusal(ReadyReasons.DeviceInUse, "network interface eth0, which is up"));
        FakeSys.Put(Path.Combine(sys.Device(Card), "net/eth0/flags"), "0x1002\n");
        Assert.That(Pci(managed: true).IsManaged);

        var disk = Path.Combine(sys.Device(Card), "ata1/host0/target0:0:0/0:0:0:0/block/sda");
        FakeSys.Put(Path.Combine(disk, "dev"), "8:0\n");
        FakeSys.Put(Path.Combine(disk, "sda2/dev"), "8:2\n");
        FakeSys.Put(Path.Combine(disk, "sda2/partition"), "2\n");
        Assert.That(Pci(managed: true).IsManaged, "nobody has it mounted");
        FakeSys.Put(Path.Combine(sys.Roots.Proc, "self/mountinfo"), "22 1 0:20 / /sys rw - sysfs sysfs rw\n25 1 8:2 / /srv/data rw,relatime - ext4 /dev/sda2 rw\n");
        Assert.That(() => Pci(managed: true), Refusal(ReadyReasons.DeviceInUse, "disk sda", "mounted at /srv/data"));
        FakeSys.Put(Path.Combine(sys.Roots.Proc, "self/mountinfo"), "");
        FakeSys.Put(Path.Combine(sys.Roots.Proc, "swaps"), "Filename Type Size Used Priority\n/dev/sda2 partition 1 0 -2\n");
        Assert.That(() => Pci(managed: true), Refusal(ReadyReasons.DeviceInUse, "swap space"));
        FakeSys.Put(Path.Combine(sys.Roots.Proc, "swaps"), "");
        FakeSys.Put(Path.Combine(disk, "sda2/holders/dm-0"), "");
        Assert.That(() => Pci(managed: true), Refusal(ReadyReasons.DeviceInUse, "a part of dm-0"));
    }

    [Test]
    public void An_NVMe_disk_is_found_below_its_controller()
    {
        sys.AddPci(Card, "nvme", "7", "0x010802");
        var disk = Path.Combine(sys.Device(Card), "nvme/nvme0/nvme0n1");
        FakeSys.Put(Path.Combine(disk, "dev"), "259:0\n");
        FakeSys.Put(Path.Combine(disk, "size"), "1000\n");
        Directory.CreateDirectory(Path.Combine(disk, "queue"));
        FakeSys.Put(Path.Combine(sys.Roots.Proc, "self/mountinfo"), "25 1 259:0 / / rw - ext4 /dev/nvme0n1 rw\n");
        Assert.That(() => Pci(managed: true), Refusal(ReadyReasons.DeviceInUse, "disk nvme0n1", "mounted at /"));
    }

    [Test]
    public void A_managed_device_is_bound_and_given_back_to_its_driver()
    {
        sys.AddPci(Card, "e1000e", "7");
        sys.Pci.Take("card", Card);
        Assert.That(sys.DriverOf(Card), Is.EqualTo("vfio-pci"));
        sys.Pci.GiveBack(Card);
        Assert.That(sys.DriverOf(Card), Is.EqualTo("e1000e"));
        sys.Pci.GiveBack(Card);
        Assert.That(sys.DriverOf(Card), Is.EqualTo("e1000e"), "again is no failure");
        sys.Pci.GiveBack("0000:09:00.0");
        Directory.Delete(Path.Combine(sys.Roots.Sys, "bus/pci/drivers/vfio-pci"));
        Assert.That(() => sys.Pci.Take("card", Card), Refusal(ReadyReasons.DeviceRefused, "modprobe vfio-pci"));
        Assert.That(sys.DriverOf(Card), Is.EqualTo("e1000e"));
    }

    private static NUnit.Framework.Constraints.Constraint Refusal(string reason, params string[] says) =>
        Throws.TypeOf<VmNotReadyException>().With.Matches<VmNotReadyException>(e => e!.Problem.Reason == reason && says.All(text => e.Message.Contains(text, StringComparison.Ordinal)));

    private HostDevice.Usb Usb(string? vendor, string? product, string? port) =>
        new UsbBus(sys.Roots).Find("stick", new VirtualUsbDevice { Vendor = vendor, Product = product, Port = port });

    private HostDevice.Pci Pci(bool managed) => sys.Pci.Find("card", new VirtualPciDevice { Address = Card, Managed = managed });
}
