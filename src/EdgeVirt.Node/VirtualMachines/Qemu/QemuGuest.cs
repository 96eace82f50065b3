using System.Text.Json.Nodes;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.VirtualMachines.Devices;

namespace EdgeVirt.Node.VirtualMachines.Qemu;

/// <summary>A virtual machine whose parts are all on the node.</summary>
internal sealed record QemuGuest
{
    public required string Name { get; init; }

    /// <summary>See <see cref="MachineIdentity.UuidOf"/>.</summary>
    public required string Uuid { get; init; }

    public required VirtualMachineSpec Spec { get; init; }

    /// <summary>In the order of the spec, the seed last.</summary>
    public IReadOnlyList<QemuDisk> Disks { get; init; } = [];

    public IReadOnlyList<QemuNic> Nics { get; init; } = [];

    /// <summary>What it boots by; null: SeaBIOS.</summary>
    public QemuBoot? Boot { get; init; }

    public required QemuAcceleration Acceleration { get; init; }

    /// <summary>What it reads by fw_cfg and SMBIOS.</summary>
    public GuestTexts Texts { get; init; } = GuestTexts.None;

    /// <summary>Devices of the node that are there at its start.</summary>
    public IReadOnlyList<HostDevice> HostDevices { get; init; } = [];

    /// <summary>Its graphics card.</summary>
    public VirtualDisplayType Display => (Spec.Machine, Spec.Display?.Type) switch
    {
        (VirtualMachineModel.MicroVm, _) => VirtualDisplayType.None,
        (_, { } type) => type,
        (VirtualMachineModel.Virt, _) => VirtualDisplayType.Virtio,
        _ => VirtualDisplayType.Vga,
    };
}

/// <summary>What runs the guest's processors.</summary>
/// <param name="Kvm">The kernel; else QEMU emulates them (TCG).</param>
/// <param name="CpuModel">QEMU's name of the processor that the guest sees.</param>
internal sealed record QemuAcceleration(bool Kvm, string CpuModel)
{
    public static readonly QemuAcceleration Emulated = new(Kvm: false, "max");

    /// <summary>How fast the guest's time-stamp counter counts: TCG passes the node's own on. Told where the guest has nothing to measure it by; null: not told.</summary>
    public long? TscKilohertz { get; init; }
}

/// <summary>Formats of disks.</summary>
internal enum DiskFormat
{
    Raw,
    Qcow2,
}

/// <summary>A file with a disk in it.</summary>
internal record DiskFile(string Path, DiskFormat Format)
{
    /// <summary>What shows where nothing was written yet. Given to QEMU by name: what the file's own header says does not count.</summary>
    public DiskFile? Backing { get; init; }

    /// <summary>What QEMU calls it; see <see cref="DiskNodes"/>. Null: it is not the machine's own, and nobody ever writes to it.</summary>
    public string? Node { get; init; }
}

/// <summary>How what a guest writes to a disk is treated.</summary>
/// <param name="Cache">When it is on the node's disk.</param>
/// <param name="Discard">What becomes of what it gives back.</param>
internal sealed record DiskPolicy(VirtualDiskCache Cache, VirtualDiskDiscard Discard)
{
    public static readonly DiskPolicy Default = new(VirtualDiskCache.Writeback, VirtualDiskDiscard.Unmap);

    /// <summary>That of a disk's spec.</summary>
    public static DiskPolicy Of(VirtualDiskSpec spec) => new(spec.Cache ?? Default.Cache, spec.Discard ?? Default.Discard);

    /// <summary>Adds it to the description of a node of QEMU that is written to, and to the file below it.</summary>
    public void Describe(JsonObject node)
    {
        node["discard"] = Discard == VirtualDiskDiscard.Unmap ? "unmap" : "ignore";
        if (Cache == VirtualDiskCache.None)
        {
            node["cache"] = new JsonObject { ["direct"] = true };
        }
    }
}

/// <summary>A disk of a guest.</summary>
/// <param name="Name">The guest sees its first 20 characters as the serial number.</param>
/// <param name="Path">Its file.</param>
/// <param name="Format">How that is written.</param>
/// <param name="ReadOnly">The guest cannot write to it.</param>
internal sealed record QemuDisk(string Name, string Path, DiskFormat Format, bool ReadOnly = false) : DiskFile(Path, Format)
{
    /// <summary>How what the guest writes is treated.</summary>
    public DiskPolicy Policy { get; init; } = DiskPolicy.Default;
}

/// <summary>A network card.</summary>
/// <param name="MacAddress">On the wire.</param>
internal sealed record QemuNic(string MacAddress)
{
    /// <summary>The descriptor of the first card's link on the node, which QEMU is started with; those of the others follow.</summary>
    public const int FirstDescriptor = 10;

    /// <summary>The descriptor of the kernel's server of the first card; those of the others follow by their numbers.</summary>
    public const int FirstVhostDescriptor = 40;

    /// <summary>The kernel carries its packets; else QEMU does.</summary>
    public bool IsVhost { get; init; }
}

/// <summary>What a guest boots by.</summary>
internal abstract record QemuBoot
{
    /// <param name="Code">The firmware, which no guest writes to.</param>
    /// <param name="Variables">Its variables, of this guest alone.</param>
    public sealed record Uefi(string Code, string Variables) : QemuBoot;

    /// <param name="Path">Of the kernel.</param>
    /// <param name="Initrd">Of the initial file system; null: none.</param>
    /// <param name="CommandLine">Null: empty.</param>
    public sealed record Kernel(string Path, string? Initrd, string? CommandLine) : QemuBoot;
}
