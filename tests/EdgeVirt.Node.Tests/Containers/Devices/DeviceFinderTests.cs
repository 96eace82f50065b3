using EdgeVirt.Contracts.Resources;
using EdgeVirt.Linux;
using EdgeVirt.Node.Containers.Devices;
using EdgeVirt.Testing;

namespace EdgeVirt.Node.Tests.Containers.Devices;

internal sealed class DeviceFinderTests
{
    private TempDirectory directory = null!;

    [SetUp]
    public void SetUp() => directory = new TempDirectory();

    [TearDown]
    public void TearDown() => directory.Dispose();

    [Test]
    public void A_path_leads_to_number_and_rights_also_through_links()
    {
        File.CreateSymbolicLink(directory.Combine("by-id"), "/dev/null");
        var found = Finder().Find(new DeviceSpec { Path = directory.Combine("by-id") }).Single();
        Assert.That((found.Path, found.IsBlock, found.Number), Is.EqualTo((directory.Combine("by-id"), false, new DeviceNumber(1, 3))));
        Assert.That(found.Mode & 0x1B6, Is.EqualTo(0x1B6));
        Assert.That(Finder().Find(new DeviceSpec { Path = "/dev/null", ContainerPath = "/dev/nothing" }).Single().Path, Is.EqualTo("/dev/nothing"));
    }

    [Test]
    public void A_pattern_stands_for_all_that_fit() => Assert.That(
        Finder().Find(new DeviceSpec { Path = "/dev/*ull" }).Concat(Finder().Find(new DeviceSpec { Path = "/dev/ze?o" })).Select(found => found.Path),
        Is.SupersetOf(["/dev/null", "/dev/zero"]));

    [Test]
    public void A_class_is_what_the_kernel_lists_under_it()
    {
        Sys("class/tty/ttyUSB7", "DEVNAME=ttyUSB7", "188:7");
        Sys("class/tty/null", "DEVNAME=null", "1:3");
        Sys("class/tty/console", "NOTHING=x", null);
        Sys("class/i2c-dev/i2c-1", "DEVNAME=i2c-1-of-test", "89:1");
        Sys("bus/gpio/devices/gpiochip0", "DEVNAME=gpiochip-of-test", "254:0");
        Assert.That(Finder().Find(new DeviceSpec { Class = "tty" }).Select(found => (found.Path, found.Number)), Is.EqualTo([("/dev/null", new DeviceNumber(1, 3)), ("/dev/ttyUSB7", new DeviceNumber(188, 7))]));
        Assert.That(Finder().Find(new DeviceSpec { Class = "i2c" }).Single().Number, Is.EqualTo(new DeviceNumber(89, 1)));
        Assert.That(Finder().Find(new DeviceSpec { Class = "gpio" }).Single().Path, Is.EqualTo("/dev/gpiochip-of-test"));
    }

    [Test]
    public void A_name_is_what_the_board_declares()
    {
        Assert.That(Finder(new DeclaredDevice { Name = "modem", Path = "/dev/null" }).Find(new DeviceSpec { Name = "modem" }).Single().Number, Is.EqualTo(new DeviceNumber(1, 3)));
        Assert.That(() => Finder().Find(new DeviceSpec { Name = "modem" }), Throws.InstanceOf<DeviceMissingException>().With.Message.Contains("agent.json"));
        Assert.That(() => Finder(new DeclaredDevice { Name = "modem", Path = "/dev/none" }).Find(new DeviceSpec { Name = "modem" }), Throws.InstanceOf<DeviceMissingException>().With.Message.Contains("/dev/none"));
    }

    [TestCase("/dev/none", null)]
    [TestCase("/dev/no-such-*", null)]
    [TestCase("/dev/shm", null)]
    [TestCase(null, "video")]
    public void What_is_not_there_or_no_device_is_missing(string? path, string? kind) =>
        Assert.That(() => Finder().Find(new DeviceSpec { Path = path, Class = kind }), Throws.InstanceOf<DeviceMissingException>().With.Message.Contains(path ?? kind));

    [Test]
    public void Of_two_at_the_same_place_the_first_counts() => Assert.That(
        Finder().FindAll([new DeviceSpec { Path = "/dev/null", Permissions = "r" }, new DeviceSpec { Path = "/dev/nul?" }]).Single().Permissions, Is.EqualTo("r"));

    private DeviceFinder Finder(params DeclaredDevice[] declared) => new(declared, directory.Path);

    private void Sys(string path, string uevent, string? number)
    {
        Directory.CreateDirectory(directory.Combine(path));
        File.WriteAllText(directory.Combine(path, "uevent"), uevent + "\n");
        if (number is not null)
        {
            File.WriteAllText(directory.Combine(path, "dev"), number + "\n");
        }
    }
}
