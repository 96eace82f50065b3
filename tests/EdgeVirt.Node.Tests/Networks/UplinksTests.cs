using System.Net;
using EdgeVirt.Node.Networks;

namespace EdgeVirt.Node.Tests.Networks;

internal sealed class UplinksTests
{
    [TestCase("eth0", 0)]
    [TestCase("wwan0", 40)]
    [TestCase("wwan1", 20)]
    [TestCase("wwp0s20", Uplinks.UndeclaredModemCost)]
    [TestCase("ppp0", Uplinks.UndeclaredModemCost)]
    [TestCase("gone0", 0)]
    public void An_interface_costs_what_is_declared_or_what_its_kind_costs(string name, int cost)
    {
        var directory = Directory.CreateTempSubdirectory("edgevirt-net-").FullName;
        try
        {
            Device("eth0", "INTERFACE=eth0\nIFINDEX=2\n", "1");
            Device("wwan0", "DEVTYPE=wwan\nINTERFACE=wwan0\n", "65534");
            Device("wwp0s20", "DEVTYPE=wwan\nINTERFACE=wwp0s20\n", "65534");
            Device("ppp0", "INTERFACE=ppp0\n", "512");
            var uplinks = new Uplinks([new() { Interface = "wwan0", Cost = 40 }, new() { Interface = "wwan*", Cost = 20 }], directory);
            Assert.That(uplinks.CostOf(name), Is.EqualTo(cost));
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }

        void Device(string device, string uevent, string type)
        {
            Directory.CreateDirectory(Path.Combine(directory, device));
            File.WriteAllText(Path.Combine(directory, device, "uevent"), uevent);
            File.WriteAllText(Path.Combine(directory, device, "type"), type + "\n");
        }
    }

    [Test]
    public void The_way_to_the_board_itself_is_the_loopback_device() => Assert.That(Uplinks.InterfaceTo(IPAddress.Loopback), Is.EqualTo("lo"));
}
