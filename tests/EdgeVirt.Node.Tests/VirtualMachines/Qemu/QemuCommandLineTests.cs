using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.VirtualMachines;
using EdgeVirt.Node.VirtualMachines.Qemu;

namespace EdgeVirt.Node.Tests.VirtualMachines.Qemu;

public sealed class QemuCommandLineTests
{
    [Test]
    public void A_q35_machine_with_UEFI_two_disks_and_a_card()
    {
        var guest = Guests.Of(cores: 2, boot: new QemuBoot.Uefi("/fw/CODE.fd", "/data/vm-1/variables.fd"), acceleration: new QemuAcceleration(Kvm: true, "host")) with
        {
            Disks =
            [
                new QemuDisk("root", "/data/vm-1/disks/root", DiskFormat.Qcow2) { Backing = new DiskFile("/data/base/abc", DiskFormat.Qcow2) },
                new QemuDisk("a-disk-with-a-long-name", "/data/vm-1/disks/data", DiskFormat.Raw),
                new QemuDisk("seed", "/data/vm-1/seed.iso", DiskFormat.Raw, ReadOnly: true) { Node = "seed" },
            ],
            Nics = [new QemuNic("52:54:00:12:34:56")],
        };
        Expect(
            guest,
            """
            -name guest=router,debug-threads=on
            -no-user-config
            -nodefaults
            -S
            -sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny
            -machine q35,vmport=off,hpet=off,dump-guest-core=off,pflash0=firmware,pflash1=variables
            -accel kvm
            -cpu host
            -smp cpus=2,sockets=1,cores=2,threads=1
            -m size=256M
            -uuid 5f0c8a4e-1d2b-8c3d-9e4f-0a1b2c3d4e5f
            -smbios type=1,manufacturer=EdgeVirt,product=Virtual Machine,uuid=5f0c8a4e-1d2b-8c3d-9e4f-0a1b2c3d4e5f
            -rtc base=utc
            -action reboot=reset,shutdown=poweroff,panic=shutdown
            -display none
            -blockdev {"driver":"raw","read-only":true,"node-name":"firmware","file":{"driver":"file","filename":"/fw/CODE.fd","read-only":true}}
            -blockdev {"driver":"raw","node-name":"variables","file":{"driver":"file","filename":"/data/vm-1/variables.fd"}}
            -boot strict=on
            -chardev socket,id=qmp0,path=/run/e/vm/1/qmp,server=on,wait=off
            -mon chardev=qmp0,mode=control
            -chardev socket,id=serial0,path=/run/e/vm/1/tty,server=on,wait=off,logfile=/run/e/vm/1.tty/log,logappend=on
            -serial chardev:serial0
            -blockdev {"driver":"qcow2","read-only":true,"backing":null,"node-name":"disk-root.base","file":{"driver":"file","filename":"/data/base/abc","read-only":true}}
            -blockdev {"driver":"qcow2","discard":"unmap","backing":"disk-root.base","node-name":"disk-root","file":{"driver":"file","filename":"/data/vm-1/disks/root","discard":"unmap"}}
            -device virtio-blk-pci,drive=disk-root,id=disk0-device,serial=root,werror=stop,rerror=stop,bootindex=0
            -blockdev {"driver":"raw","discard":"unmap","node-name":"disk-a-disk-with-a-long-n","file":{"driver":"file","filename":"/data/vm-1/disks/data","discard":"unmap"}}
            -device virtio-blk-pci,drive=disk-a-disk-with-a-long-n,id=disk1-device,serial=a-disk-with-a-long-n,werror=stop,rerror=stop,bootindex=1
            -blockdev {"driver":"raw","read-only":true,"node-name":"seed","file":{"driver":"file","filename":"/data/vm-1/seed.iso"}}
            -device virtio-blk-pci,drive=seed,id=disk2-device,serial=seed,werror=stop,rerror=stop,bootindex=2
            -netdev tap,id=net0,fd=10
            -device virtio-net-pci,netdev=net0,id=nic0,mac=52:54:00:12:34:56,romfile=
            -object rng-builtin,id=rng0
            -device virtio-rng-pci,rng=rng0
            -device virtio-balloon-pci,id=balloon0,deflate-on-oom=on
            -device virtio-serial-pci
            -chardev socket,id=agent0,path=/run/e/vm/1/qga,server=on,wait=off
            -device virtserialport,chardev=agent0,name=org.qemu.guest_agent.0
            -device pvpanic
            -device VGA
            -device qemu-xhci
            -device usb-tablet
            -vnc unix:/run/e/vm/1/vnc
            """);
    }

    [Test]
    public void A_microvm_with_a_kernel()
    {
        var guest = Guests.Of(VirtualMachineModel.MicroVm, boot: new QemuBoot.Kernel("/img/vm,linuz", "/img/init,rd", "console=ttyS0 panic=-1")) with
        {
            Disks = [new QemuDisk("root", "/data/vm-1/disks/root", DiskFormat.Raw)],
            Nics = [new QemuNic("52:54:00:12:34:56")],
        };
        Expect(
            guest,
            """
            -name guest=router,debug-threads=on
            -no-user-config
            -nodefaults
            -S
            -sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny
            -machine microvm,rtc=on,isa-serial=on,dump-guest-core=off
            -accel tcg,tb-size=64
            -cpu max
            -smp cpus=1,sockets=1,cores=1,threads=1
            -m size=256M
            -uuid 5f0c8a4e-1d2b-8c3d-9e4f-0a1b2c3d4e5f
            -rtc base=utc
            -action reboot=reset,shutdown=poweroff,panic=shutdown
            -display none
            -kernel /img/vm,linuz
            -initrd /img/init,rd
            -append console=ttyS0 panic=-1
            -chardev socket,id=qmp0,path=/run/e/vm/1/qmp,server=on,wait=off
            -mon chardev=qmp0,mode=control
            -chardev socket,id=serial0,path=/run/e/vm/1/tty,server=on,wait=off,logfile=/run/e/vm/1.tty/log,logappend=on
            -serial chardev:serial0
            -blockdev {"driver":"raw","discard":"unmap","node-name":"disk-root","file":{"driver":"file","filename":"/data/vm-1/disks/root","discard":"unmap"}}
            -device virtio-blk-device,drive=disk-root,id=disk0-device,serial=root,werror=stop,rerror=stop
            -netdev tap,id=net0,fd=10
            -device virtio-net-device,netdev=net0,id=nic0,mac=52:54:00:12:34:56
            -object rng-builtin,id=rng0
            -device virtio-rng-device,rng=rng0
            -device virtio-balloon-device,id=balloon0,deflate-on-oom=on
            -device virtio-serial-device
            -chardev socket,id=agent0,path=/run/e/vm/1/qga,server=on,wait=off
            -device virtserialport,chardev=agent0,name=org.qemu.guest_agent.0
            -device pvpanic
            """);
    }

    [TestCase("console=ttyS0 panic=-1", "tsc_early_khz=2596144 tsc=reliable console=ttyS0 panic=-1")]
    [TestCase(null, "tsc_early_khz=2596144 tsc=reliable")]
    [TestCase("console=ttyS0 tsc=unstable", "console=ttyS0 tsc=unstable")]
    public void An_emulated_microvm_is_told_how_fast_its_only_clock_is(string? line, string expected)
    {
        var kernel = new QemuBoot.Kernel("/k", null, line);
        var told = QemuAcceleration.Emulated with { TscKilohertz = 2596144 };
        Assert.That(For(Guests.Of(VirtualMachineModel.MicroVm, boot: kernel, acceleration: told)), Does.Contain(expected));
        Assert.That(For(Guests.Of(VirtualMachineModel.Q35, boot: kernel, acceleration: told)), Has.None.Contains("tsc_early_khz"), "has others");
        Assert.That(For(Guests.Of(VirtualMachineModel.MicroVm, boot: kernel, acceleration: told with { Kvm = true })), Has.None.Contains("tsc_early_khz"), "has kvmclock");
    }

    [TestCase(VirtualMachineModel.Q35, null, "VGA")]
    [TestCase(VirtualMachineModel.Q35, VirtualDisplayType.Virtio, "virtio-vga")]
    [TestCase(VirtualMachineModel.Q35, VirtualDisplayType.None, null)]
    [TestCase(VirtualMachineModel.Virt, null, "virtio-gpu-pci")]
    [TestCase(VirtualMachineModel.Virt, VirtualDisplayType.None, null)]
    [TestCase(VirtualMachineModel.MicroVm, null, null)]
    public void A_display_as_the_spec_says_or_the_model_has_it(VirtualMachineModel model, VirtualDisplayType? type, string? card)
    {
        var guest = Guests.Of(model);
        var args = For(guest with { Spec = guest.Spec with { Display = new VirtualDisplaySpec { Type = type } } });
        Assert.That(args.Intersect(["VGA", "virtio-vga", "virtio-gpu-pci"]), Is.EqualTo(card is null ? Array.Empty<string>() : [card]));
        Assert.That(args.Contains("-vnc"), Is.EqualTo(card is not null));
        Assert.That(args.Contains("usb-tablet"), Is.EqualTo(card is not null));
    }

    [Test]
    public void A_virt_machine()
    {
        var emulated = For(Guests.Of(VirtualMachineModel.Virt));
        Assert.That(emulated, Does.Contain("virt,gic-version=3,dump-guest-core=off").And.Contain("pvpanic-pci").And.Contain("virtio-gpu-pci").And.Contain("usb-kbd"));
        Assert.That(emulated, Does.Contain("unix:/run/e/vm/1/vnc").And.Not.Contain("VGA"));
        Assert.That(For(Guests.Of(VirtualMachineModel.Virt, acceleration: new QemuAcceleration(Kvm: true, "host"))), Does.Contain("virt,gic-version=host,dump-guest-core=off"));
    }

    [TestCase(VirtualDiskCache.Writeback, VirtualDiskDiscard.Unmap, "\"discard\":\"unmap\"", 0)]
    [TestCase(VirtualDiskCache.Writethrough, VirtualDiskDiscard.Unmap, "\"discard\":\"unmap\"", 0)]
    [TestCase(VirtualDiskCache.None, VirtualDiskDiscard.Ignore, "\"discard\":\"ignore\",\"cache\":{\"direct\":true}", 1)]
    public void A_disk_is_written_to_as_its_spec_says_and_what_it_began_from_is_not(VirtualDiskCache cache, VirtualDiskDiscard discard, string said, int direct)
    {
        var disk = new QemuDisk("root", "/disks/root", DiskFormat.Qcow2) { Backing = new DiskFile("/data/base/abc", DiskFormat.Raw), Policy = new DiskPolicy(cache, discard) };
        var args = For(Guests.Of() with { Disks = [disk] });
        var nodes = args.Where(word => word.StartsWith('{')).ToList();
        Assert.That(nodes[1].Split(said), Has.Length.EqualTo(3), "the format and the file below it");
        Assert.That(nodes[0], Does.Not.Contain("discard").And.Not.Contain("cache"));
        Assert.That(string.Concat(nodes).Split("direct").Length - 1, Is.EqualTo(2 * direct));
        Assert.That(args.Count(word => word.Contains("write-cache=off", StringComparison.Ordinal)), Is.EqualTo(cache == VirtualDiskCache.Writethrough ? 1 : 0));
    }

    [Test]
    public void Layers_of_a_disk_are_given_from_the_bottom_up_and_only_the_top_one_is_written_to()
    {
        var began = new DiskFile("/data/base/abc", DiskFormat.Raw);
        var first = new DiskFile("/disks/root", DiskFormat.Qcow2) { Node = "disk-root", Backing = began };
        var disk = new QemuDisk("root", "/disks/root.1f", DiskFormat.Qcow2) { Node = "disk-root.1f", Backing = first };
        var nodes = For(Guests.Of() with { Disks = [disk] }).Where(word => word.StartsWith('{')).ToList();
        Assert.That(nodes, Is.EqualTo((string[])
        [
            """{"driver":"raw","read-only":true,"node-name":"disk-root.base","file":{"driver":"file","filename":"/data/base/abc","read-only":true}}""",
            """{"driver":"qcow2","read-only":true,"l2-cache-size":262144,"backing":"disk-root.base","node-name":"disk-root","file":{"driver":"file","filename":"/disks/root"}}""",
            """{"driver":"qcow2","discard":"unmap","backing":"disk-root","node-name":"disk-root.1f","file":{"driver":"file","filename":"/disks/root.1f","discard":"unmap"}}""",
        ]));
        Assert.That(For(Guests.Of() with { Disks = [disk] }), Has.One.StartsWith("virtio-blk-pci,drive=disk-root.1f,id=disk0-device,"));
    }

    [Test]
    public void A_machine_with_a_BIOS_has_no_flash() =>
        Assert.That(For(Guests.Of()), Does.Contain("q35,vmport=off,hpet=off,dump-guest-core=off").And.Contain("strict=on").And.Not.Contain("-kernel"));

    [Test]
    public void A_kernel_alone_has_neither_initrd_nor_command_line() =>
        Assert.That(For(Guests.Of(boot: new QemuBoot.Kernel("/k", null, ""))), Does.Contain("-kernel").And.Not.Contain("-initrd").And.Not.Contain("-append").And.Not.Contain("strict=on"));

    [Test]
    public void Commas_in_paths_are_doubled_and_quotes_in_JSON_escaped()
    {
        var guest = Guests.Of() with { Name = "a,b", Disks = [new QemuDisk("d", "/data/a,\"b\\/é", DiskFormat.Raw)] };
        var args = QemuCommandLine.For(guest, new VmPaths("/data,1", "/run,1"));
        Assert.That(args, Does.Contain("guest=a,,b,debug-threads=on"));
        Assert.That(args, Does.Contain("socket,id=serial0,path=/run,,1/tty,server=on,wait=off,logfile=/run,,1.tty/log,logappend=on"));
        Assert.That(args, Does.Contain("socket,id=qmp0,path=/run,,1/qmp,server=on,wait=off").And.Contain("unix:/run,,1/vnc"));
        Assert.That(args, Has.One.Contains("""
            "filename":"/data/a,\"b\\/é"
            """.Trim()));
    }

    [Test]
    public void Memory_that_a_machine_takes_counts_its_QEMU()
    {
        const long MiB = 1 << 20;
        var micro = Guests.Of(VirtualMachineModel.MicroVm, acceleration: new QemuAcceleration(Kvm: true, "host"));
        Assert.That(QemuOverhead.Of(micro), Is.LessThanOrEqualTo(60 * MiB), "the aim for the smallest model");
        Assert.That(QemuOverhead.Total(micro), Is.EqualTo((256 * MiB) + QemuOverhead.Of(micro)));
        Assert.That(QemuOverhead.Of(Guests.Of()) - QemuOverhead.Of(Guests.Of(acceleration: new QemuAcceleration(Kvm: true, "host"))), Is.EqualTo(96 * MiB));
    }

    [Test]
    public void What_a_guest_knows_itself_by_follows_from_node_and_machine()
    {
        var uuid = MachineIdentity.UuidOf("node-1", "uid-1");
        Assert.That(uuid, Is.EqualTo(MachineIdentity.UuidOf("node-1", "uid-1")).And.Not.EqualTo(MachineIdentity.UuidOf("node-2", "uid-1")));
        Assert.That(uuid, Does.Match("^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"));
        var mac = MachineIdentity.MacOf("node-1", "uid-1", "lan");
        Assert.That(mac, Does.Match("^52(:[0-9a-f]{2}){5}$").And.Not.EqualTo(MachineIdentity.MacOf("node-1", "uid-1", "wan")));
    }

    [Test]
    public void Sockets_have_short_paths()
    {
        var options = new NodeOptions { RunDir = "/" + new string('r', 89) };
        var paths = VmPaths.Of(options, new string('m', 63) + "-01234567");
        Assert.That((string[])[paths.Qmp, paths.Serial, paths.Vnc, paths.Agent], Has.All.Length.LessThan(108));
    }

    private static IReadOnlyList<string> For(QemuGuest guest) => QemuCommandLine.For(guest, Guests.Paths);

    // An option and what belongs to it on each line.
    private static void Expect(QemuGuest guest, string lines)
    {
        var shown = new List<string>();
        foreach (var word in For(guest))
        {
            if (word.StartsWith('-') || shown.Count == 0)
            {
                shown.Add(word);
            }
            else
            {
                shown[^1] += " " + word;
            }
        }

        Assert.That(string.Join('\n', shown), Is.EqualTo(lines));
    }
}
