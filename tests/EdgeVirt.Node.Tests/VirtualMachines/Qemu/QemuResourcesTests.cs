using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.VirtualMachines.Memory;
using EdgeVirt.Node.VirtualMachines.Qemu;
using Microsoft.Win32.SafeHandles;

namespace EdgeVirt.Node.Tests.VirtualMachines.Qemu;

public sealed class QemuResourcesTests
{
    private static readonly QemuAcceleration Kvm = new(Kvm: true, "host");

    [Test]
    public void A_topology_is_told_as_it_is_wanted()
    {
        var args = ArgumentsOf(new VirtualCpuSpec { Sockets = 2, Cores = 3, Threads = 2 }, new VirtualMemorySpec { Size = Guests.QuantityOf("256Mi") });
        Assert.That(After(args, "-smp"), Is.EqualTo("cpus=12,sockets=2,cores=3,threads=2"));
        Assert.That(After(ArgumentsOf(new VirtualCpuSpec { Threads = 2 }, new VirtualMemorySpec { Size = Guests.QuantityOf("256Mi") }), "-smp"), Is.EqualTo("cpus=2,sockets=1,cores=1,threads=2"));
    }

    [TestCase("2Mi", "2M")]
    [TestCase("1Gi", "1024M")]
    public void Huge_pages_are_taken_at_once_and_are_all_of_the_memory(string page, string told)
    {
        var args = ArgumentsOf(null, new VirtualMemorySpec { Size = Guests.QuantityOf("2Gi"), Hugepages = new VirtualHugePages { PageSize = Guests.QuantityOf(page) } });
        Assert.That(After(args, "-m"), Is.EqualTo("size=2048M"));
        Assert.That(args, Has.Member($"memory-backend-memfd,id=ram0,size=2048M,hugetlb=on,hugetlbsize={told},prealloc=on"));
        Assert.That(After(args, "-machine"), Does.EndWith(",memory-backend=ram0"));
    }

    [Test]
    public void Of_a_machine_with_huge_pages_the_node_gives_what_QEMU_itself_takes()
    {
        var guest = Guests.Of();
        var huge = guest with { Spec = guest.Spec with { Memory = guest.Spec.Memory with { Hugepages = new VirtualHugePages { PageSize = Guests.QuantityOf("2Mi") } } } };
        Assert.That(QemuOverhead.Total(guest) - QemuOverhead.Total(huge), Is.EqualTo(256L << 20));
        Assert.That((VmHugePages.Of(guest), VmHugePages.Of(huge)), Is.EqualTo(((VmHugePages?)null, new VmHugePages(2 << 20, 256 << 20))));
        Assert.That(new VmHugePages(1 << 30, 64L << 30).Patience, Is.EqualTo(TimeSpan.FromSeconds(128)));
    }

    [TestCase(VirtualMachineModel.Q35, "virtio-net-pci")]
    [TestCase(VirtualMachineModel.MicroVm, "virtio-net-device")]
    public void Cards_that_the_kernel_serves_have_a_descriptor_of_it(VirtualMachineModel model, string device)
    {
        var guest = Guests.Of(model, acceleration: Kvm) with { Nics = [new QemuNic("52:54:00:00:00:01"), new QemuNic("52:54:00:00:00:02")] };
        List<SafeFileHandle> made = [];
        using (var cards = VhostCards.Open(guest, () => Keep(made)))
        {
            var args = QemuCommandLine.For(guest with { Nics = cards.Nics }, Guests.Paths);
            Assert.That(args, Has.Member("tap,id=net0,fd=10,vhost=on,vhostfd=40").And.Member("tap,id=net1,fd=11,vhost=on,vhostfd=41"));
            Assert.That(args, Has.Some.StartsWith($"{device},netdev=net1,id=nic1"));
            Assert.That(cards.Files, Is.EqualTo(made));
        }

        Assert.That(made.Select(file => file.IsClosed), Is.EqualTo((bool[])[true, true]));
    }

    [Test]
    public void Where_the_kernel_serves_none_or_too_few_QEMU_serves_all()
    {
        var guest = Guests.Of(acceleration: Kvm) with { Nics = [new QemuNic("52:54:00:00:00:01"), new QemuNic("52:54:00:00:00:02")] };
        List<SafeFileHandle> made = [];
        using var few = VhostCards.Open(guest, () => made.Count == 1 ? null : Keep(made));
        Assert.That((few.Files.Count, few.Nics, made.Single().IsClosed), Is.EqualTo((0, guest.Nics, true)));
        using var emulated = VhostCards.Open(guest with { Acceleration = QemuAcceleration.Emulated }, () => throw new AssertionException("not asked for"));
        Assert.That(emulated.Nics, Is.EqualTo(guest.Nics));
        Assert.That(QemuCommandLine.For(guest, Guests.Paths), Has.Member("tap,id=net0,fd=10"));
        Assert.That(EdgeVirt.Linux.VhostNet.Open("/dev/no-such-device"), Is.Null);
    }

    private static SafeFileHandle Keep(List<SafeFileHandle> made)
    {
        made.Add(File.OpenHandle("/dev/null", FileMode.Open, FileAccess.Read, FileShare.ReadWrite));
        return made[^1];
    }

    private static IReadOnlyList<string> ArgumentsOf(VirtualCpuSpec? cpu, VirtualMemorySpec memory) =>
        QemuCommandLine.For(Guests.Of() with { Spec = new VirtualMachineSpec { Cpu = cpu, Memory = memory } }, Guests.Paths);

    private static string After(IReadOnlyList<string> args, string name) => args.SkipWhile(arg => arg != name).ElementAt(1);
}
