using EdgeVirt.Node.VirtualMachines;
using EdgeVirt.Testing;

namespace EdgeVirt.Node.Tests.VirtualMachines;

public sealed class ConsoleLogTests
{
    [Test]
    public void A_long_log_is_cut_and_its_end_kept()
    {
        using var directory = new TempDirectory();
        var path = directory.Combine("serial.log");
        File.WriteAllText(path, "short");
        ConsoleLog.Bound(path);
        Assert.That(File.ReadAllText(path), Is.EqualTo("short"));

        File.WriteAllText(path, new string('a', 4 << 20) + "the end");
        ConsoleLog.Bound(path);
        Assert.That(new FileInfo(path).Length, Is.Zero);
        Assert.That(File.ReadAllText(path + ".1"), Does.EndWith("athe end").And.Length.EqualTo(1 << 20));
        ConsoleLog.Bound(directory.Combine("none"));
    }
}
