using EdgeVirt.Contracts.Resources;
using EdgeVirt.Linux;
using EdgeVirt.Linux.Files;
using EdgeVirt.Node.VirtualMachines;
using EdgeVirt.Node.VirtualMachines.Devices;
using EdgeVirt.Node.VirtualMachines.Qemu;
using EdgeVirt.Node.Tests.VirtualMachines.Qemu;
using EdgeVirt.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace EdgeVirt.Node.Tests.VirtualMachines.Devices;

/// <summary>Each device has one holder, who alone may open it.</summary>
[Category("root")]
public sealed class MachineDevicesTests
{
    private const string Card = "0000:03:00.0";
    private TempDirectory directory = null!;
    private FakeSys sys = null!;
    private NodeOptions options = null!;
    private VmRecords records = null!;
    private MachineDevices devices = null!;

    [SetUp]
    public void SetUp()
    {
        directory = new TempDirectory();
        sys = new FakeSys();
        options = new NodeOptions { DataDir = directory.Subdirectory("data"), RunDir = directory.Subdirectory("run") };
        records = new VmRecords(options, NullLogger<VmRecords>.Instance);
        devices = new MachineDevices(records, [], sys.Roots, sys.Pci);
    }

    [TearDown]
    public void TearDown()
    {
        foreach (var record in records.All)
        {
            devices.Release(record, PathsOf(record));
        }

        sys.Dispose();
        directory.Dispose();
    }

    [Test]
    public void A_USB_device_is_its_holders_by_a_node_of_its_own_until_it_is_given_back()
    {
        // The number of /dev/null: what a node is, only its number says.
        sys.AddUsb("1-1", "0403", "6001", "1:3");
        var spec = SpecOf(new VirtualDeviceSpec { Name = "stick", Usb = new VirtualUsbDevice { Port = "1-1" } });
        var one = records.Ensure("one", "00000001-one");
        var paths = PathsOf(one);
        one = devices.Take(one, spec, devices.Find(spec, one), paths);
        Assert.That(Ownership.Of(paths.Node("stick")), Is.EqualTo((one.User, one.User)));
        using (var node = PinnedPath.TryOpen(paths.Node("stick"))!)
        {
            Assert.That((node.Kind, node.Mode, node.Device), Is.EqualTo((FileKind.CharacterDevice, 0x180u, new DeviceNumber(1, 3))));
        }

        var other = records.Ensure("other", "00000002-other");
        Assert.That(() => devices.Find(spec, other), Throws.TypeOf<VmNotReadyException>().With.Message.Contains("in use by the virtual machine 'one'"));
        Assert.That(devices.FindUsb(spec.Devices![0], other), Is.Null);
        // As the next agent finds it.
        records.Load();
        Assert.That(records.All.Single(record => record.Name == "one").Devices.Single().Name, Is.EqualTo("stick"));

        devices.Release(one, paths);
        Assert.That((Directory.Exists(paths.Nodes), devices.Find(spec, other).Count), Is.EqualTo((false, 1)));
    }

    [Test]
    public void A_PCI_device_and_its_group_are_bound_given_to_QEMUs_user_and_given_back()
    {
        sys.AddPci(Card, "e1000e", "7");
        sys.AddPci("0000:03:00.1", "vfio-pci", "7");
        var spec = SpecOf(new VirtualDeviceSpec { Name = "card", Pci = new VirtualPciDevice { Address = Card, Managed = true } });
        var one = records.Ensure("one", "00000001-one");
        one = devices.Take(one, spec, devices.Find(spec, one), PathsOf(one));
        var group = Path.Combine(sys.Roots.Dev, "vfio/7");
        Assert.That((sys.DriverOf(Card), Ownership.Of(group)), Is.EqualTo(("vfio-pci", (one.User, one.User))));

        var other = records.Ensure("other", "00000002-other");
        var sibling = SpecOf(new VirtualDeviceSpec { Name = "sibling", Pci = new VirtualPciDevice { Address = "0000:03:00.1" } });
        Assert.That(() => devices.Find(sibling, other), Throws.TypeOf<VmNotReadyException>().With.Message.Contains("'one'"), "a group goes to one guest as a whole");

        one = devices.Release(one, PathsOf(one));
        Assert.That((sys.DriverOf(Card), Ownership.Of(group), one.Devices.Count), Is.EqualTo(("e1000e", (0u, 0u), 0)));
    }

    [Test]
    public void The_same_device_twice_is_refused()
    {
        sys.AddUsb("1-1", "0403", "6001", "1:3");
        var spec = SpecOf(
            new VirtualDeviceSpec { Name = "a", Usb = new VirtualUsbDevice { Port = "1-1" } }, new VirtualDeviceSpec { Name = "b", Usb = new VirtualUsbDevice { Vendor = "0403", Product = "6001" } });
        Assert.That(() => devices.Find(spec, records.Ensure("one", "00000001-one")), Throws.TypeOf<VmNotReadyException>().With.Message.Contains("'a' and 'b' are the same one"));
    }

    [Test]
    public void A_serial_port_that_somebody_has_open_is_refused_with_who()
    {
        if (!File.Exists(RealSerialTests.Terminal))
        {
            Assert.Ignore("this machine has no virtual terminals");
        }

        var real = new MachineDevices(records, [new DeclaredDevice { Name = "meter", Path = RealSerialTests.Terminal }]);
        var spec = SpecOf(new VirtualDeviceSpec { Name = "line", Serial = new VirtualSerialPort { Name = "meter" } });
        var one = records.Ensure("one", "00000001-one");
        Assert.That(real.Find(spec, one).Single(), Is.InstanceOf<HostDevice.Serial>());
        using (File.OpenHandle(RealSerialTests.Terminal, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite))
        {
            Assert.That(() => real.Find(spec, one), Throws.TypeOf<VmNotReadyException>().With.Message.Contains($"process {Environment.ProcessId}").And.Property("Problem").Property("Reason").EqualTo(ReadyReasons.DeviceInUse));
        }

        var nothing = SpecOf(new VirtualDeviceSpec { Name = "line", Serial = new VirtualSerialPort { Path = "/dev/null" } });
        Assert.That(() => real.Find(nothing, one), Throws.TypeOf<VmNotReadyException>().With.Message.Contains("is no serial port"));
    }

    [Test]
    public void QEMU_is_told_of_them()
    {
        var guest = Guests.Of();
        var args = QemuHostDevices.For(
            guest with
            {
                Spec = guest.Spec with { Devices = [new VirtualDeviceSpec { Name = "stick", Usb = new VirtualUsbDevice { Port = "1-1" } }] },
                HostDevices =
                [
                    new HostDevice.Usb("stick", "1-1", new DeviceNumber(189, 5)), new HostDevice.Serial("line", "/dev/ttyUSB0", new DeviceNumber(188, 0)),
                    new HostDevice.Pci("card", Card, "7", IsManaged: true),
                ],
            },
            Guests.Paths);
        var nodes = Guests.Paths.Nodes;
        Assert.That(args, Is.EqualTo((string[])
        [
            "-device", "qemu-xhci,id=hostusb,p2=15,p3=15", "-device", $"usb-host,id=host-stick,bus=hostusb.0,hostdevice={nodes}/stick",
            "-chardev", $"serial,id=host-line-line,path={nodes}/line", "-device", "pci-serial,id=host-line,chardev=host-line-line", "-device", $"vfio-pci,id=host-card,host={Card}",
        ]));
        Assert.That(QemuHostDevices.For(guest, Guests.Paths), Is.Empty);
    }

    private static VirtualMachineSpec SpecOf(params VirtualDeviceSpec[] devices) => new() { Memory = new VirtualMemorySpec { Size = Guests.QuantityOf("256Mi") }, Devices = devices };

    private VmPaths PathsOf(VmRecord record) => VmPaths.Of(options, record.Id);
}
