using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Node.VirtualMachines.Qemu;

/// <summary>
/// QEMU's arguments for a guest. Pure. The guest stands still until <c>cont</c>: by then its limits are in force and somebody listens.
/// </summary>
internal static class QemuCommandLine
{
    /// <summary>MiB of translated code that emulation keeps; QEMU's own 1 GiB would not fit a board.</summary>
    public const int TranslationBufferMiB = 64;

    private const int SerialNumberLength = 20;

    // Of QEMU's index of a layer that is only read: a chain of many must not take a machine's memory.
    private const int LayerCacheBytes = 256 << 10;

    /// <summary>The arguments, without the program's name.</summary>
    public static IReadOnlyList<string> For(QemuGuest guest, VmPaths paths)
    {
        var model = guest.Spec.Machine ?? VirtualMachineModel.Q35;
        List<string> args =
        [
            "-name", $"guest={Escaped(guest.Name)},debug-threads=on",
            "-no-user-config", "-nodefaults", "-S",
            "-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
            "-machine", Machine(guest, model),
            .. Accelerator(guest.Acceleration),
            "-cpu", guest.Acceleration.CpuModel,
            "-smp", QemuResources.Processors(guest.Spec.Cpu),
            "-m", Invariant($"size={(long)(guest.Spec.Memory.Size.Value / (1 << 20))}M"),
            .. QemuResources.Memory(guest.Spec.Memory),
            "-uuid", guest.Uuid,
            .. model == VirtualMachineModel.MicroVm ? (string[])[] : ["-smbios", $"type=1,manufacturer=EdgeVirt,product=Virtual Machine,uuid={guest.Uuid}"],
            "-rtc", "base=utc",
            "-action", "reboot=reset,shutdown=poweroff,panic=shutdown",
            "-display", "none",
            .. Boot(guest),
            .. Monitor(paths),
            .. Serial(paths),
        ];
        for (var i = 0; i < guest.Disks.Count; i++)
        {
            AddDisk(args, guest.Disks[i], i, model, isBootable: guest.Boot is not QemuBoot.Kernel);
        }

        for (var i = 0; i < guest.Nics.Count; i++)
        {
            args.AddRange(
            [
                "-netdev", Invariant($"tap,id=net{i},fd={QemuNic.FirstDescriptor + i}{QemuResources.Vhost(guest.Nics, i)}"),
                // Without romfile= QEMU wants the file of a boot program for the card.
                "-device", Invariant($"{Device("virtio-net", model)},netdev=net{i},id=nic{i},mac={guest.Nics[i].MacAddress}{(model == VirtualMachineModel.MicroVm ? "" : ",romfile=")}"),
            ]);
        }

        args.AddRange(
        [
            "-object", "rng-builtin,id=rng0", "-device", $"{Device("virtio-rng", model)},rng=rng0",
            "-device", $"{Device("virtio-balloon", model)},id=balloon0,deflate-on-oom=on",
            "-device", Device("virtio-serial", model),
            "-chardev", $"socket,id=agent0,path={Escaped(paths.Agent)},server=on,wait=off",
            "-device", "virtserialport,chardev=agent0,name=org.qemu.guest_agent.0",
            "-device", model == VirtualMachineModel.Virt ? "pvpanic-pci" : "pvpanic",
            .. Display(guest.Display, paths, model),
            .. QemuHardware.For(guest, paths),
        ]);
        return args;
    }

    /// <summary>A value in one of QEMU's lists of <c>name=value</c>: a comma in it is written twice.</summary>
    public static string Escaped(string value) => value.Replace(",", ",,", StringComparison.Ordinal);

    private static string Machine(QemuGuest guest, VirtualMachineModel model)
    {
        var name = model switch
        {
            VirtualMachineModel.MicroVm => "microvm,rtc=on,isa-serial=on",
            // The interrupt controller that KVM has is the board's own.
            VirtualMachineModel.Virt => guest.Acceleration.Kvm ? "virt,gic-version=host" : "virt,gic-version=3",
            _ => "q35,vmport=off,hpet=off",
        };
        return $"{name},dump-guest-core=off{(guest.Boot is QemuBoot.Uefi ? ",pflash0=firmware,pflash1=variables" : "")}{QemuResources.MachineMemory(guest.Spec.Memory)}";
    }

    private static string[] Accelerator(QemuAcceleration acceleration) =>
        ["-accel", acceleration.Kvm ? "kvm" : Invariant($"tcg,tb-size={TranslationBufferMiB}")];

    private static string[] Boot(QemuGuest guest) => guest.Boot switch
    {
        QemuBoot.Kernel kernel =>
        [
            // These three are taken as they are, commas too.
            "-kernel", kernel.Path,
            .. kernel.Initrd is { } initrd ? (string[])["-initrd", initrd] : [],
            .. CommandLine(guest, kernel) is { Length: > 0 } line ? (string[])["-append", line] : [],
        ],
        QemuBoot.Uefi uefi =>
        [
            "-blockdev", Node("firmware", new JsonObject { ["driver"] = "raw", ["read-only"] = true }, uefi.Code),
            "-blockdev", Node("variables", new JsonObject { ["driver"] = "raw" }, uefi.Variables),
            "-boot", "strict=on",
        ],
        _ => ["-boot", "strict=on"],
    };

    // microvm has no clock but the processors' own: with KVM a guest takes the kernel's (kvmclock), emulated it has the time-stamp counter alone. Linux measures that against
    // the PIT, which a busy node disturbs; where it gives up, no tick ever comes (its ACPI says that there is no legacy hardware) and it stands still for good.
    private static string? CommandLine(QemuGuest guest, QemuBoot.Kernel kernel)
    {
        var line = kernel.CommandLine ?? "";
        return guest is { Spec.Machine: VirtualMachineModel.MicroVm, Acceleration: { Kvm: false, TscKilohertz: { } kilohertz } }
            && !line.Split(' ').Any(word => word.StartsWith("tsc", StringComparison.Ordinal))
            ? Invariant($"tsc_early_khz={kilohertz} tsc=reliable {line}").TrimEnd()
            : line;
    }

    private static string[] Monitor(VmPaths paths) =>
        ["-chardev", $"socket,id=qmp0,path={Escaped(paths.Qmp)},server=on,wait=off", "-mon", "chardev=qmp0,mode=control"];

    private static string[] Serial(VmPaths paths) =>
        ["-chardev", $"socket,id=serial0,path={Escaped(paths.Serial)},server=on,wait=off,logfile={Escaped(paths.ConsoleLog)},logappend=on", "-serial", "chardev:serial0"];

    private static string[] Display(VirtualDisplayType type, VmPaths paths, VirtualMachineModel model) => type == VirtualDisplayType.None ? [] :
    [
        "-device", (type, model) switch
        {
            (VirtualDisplayType.Vga, _) => "VGA",
            // On x86-64 with the registers of a VGA beside it, so that firmware and boot loaders have a screen too.
            (_, VirtualMachineModel.Q35) => "virtio-vga",
            _ => "virtio-gpu-pci",
        },
        "-device", "qemu-xhci",
        // virt has no keyboard of its own.
        .. model == VirtualMachineModel.Virt ? (string[])["-device", "usb-kbd"] : [],
        "-device", "usb-tablet",
        "-vnc", $"unix:{Escaped(paths.Vnc)}",
    ];

    private static void AddDisk(List<string> args, QemuDisk disk, int number, VirtualMachineModel model, bool isBootable)
    {
        var node = disk.Node ?? DiskNodes.Of(disk.Name, layer: 0);
        AddFile(args, disk.Name, disk, node, disk.ReadOnly ? null : disk.Policy);
        args.AddRange(
        [
            "-device",
            Invariant($"{Device("virtio-blk", model)},drive={node},id=disk{number}-device,serial={Escaped(disk.Name[..Math.Min(disk.Name.Length, SerialNumberLength)])},werror=stop,rerror=stop{(disk.Policy.Cache == VirtualDiskCache.Writethrough ? ",write-cache=off" : "")}")
                + (isBootable ? Invariant($",bootindex={number}") : ""),
        ]);
    }

    // From the bottom up: QEMU wants to know a node before another one names it.
    private static void AddFile(List<string> args, string disk, DiskFile file, string node, DiskPolicy? policy)
    {
        string? below = null;
        if (file.Backing is { } backing)
        {
            below = backing.Node ?? DiskNodes.BaseOf(disk);
            AddFile(args, disk, backing, below, policy: null);
        }

        args.AddRange(["-blockdev", Node(node, Format(file, policy, below), file.Path, isShared: file.Node is null, policy)]);
    }

    private static JsonObject Format(DiskFile file, DiskPolicy? policy, string? backingNode)
    {
        var format = new JsonObject { ["driver"] = file.Format == DiskFormat.Qcow2 ? "qcow2" : "raw" };
        if (policy is null)
        {
            format["read-only"] = true;
        }
        else
        {
            policy.Describe(format);
        }

        if (file.Format == DiskFormat.Qcow2)
        {
            if (policy is null && file.Node is not null)
            {
                format["l2-cache-size"] = LayerCacheBytes;
            }

            // Said even where there is none, so that what the file's header says does not count.
            format["backing"] = backingNode;
        }

        return format;
    }

    // The format never comes from the file: a raw disk whose guest writes a header into it stays raw.
    private static string Node(string name, JsonObject format, string path, bool isShared = true, DiskPolicy? policy = null)
    {
        format["node-name"] = name;
        var file = new JsonObject { ["driver"] = "file", ["filename"] = path };
        if (format["read-only"] is not null)
        {
            // A layer of its own is opened for writing when another one is merged into it.
            if (isShared)
            {
                file["read-only"] = true;
            }
        }
        else
        {
            policy?.Describe(file);
        }

        format["file"] = file;
        using var bytes = new MemoryStream();
        using (var writer = new Utf8JsonWriter(bytes, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            format.WriteTo(writer);
        }

        return Encoding.UTF8.GetString(bytes.ToArray());
    }

    private static string Device(string name, VirtualMachineModel model) => model == VirtualMachineModel.MicroVm ? $"{name}-device" : $"{name}-pci";

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
