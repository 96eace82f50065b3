using System.Text.Json.Serialization;

namespace EdgeVirt.Contracts.Resources;

/// <summary>A virtual machine that runs on each node of a placement, under QEMU and KVM.</summary>
public sealed record VirtualMachineSpec
{
    /// <summary>Where it runs; absent: on every node.</summary>
    public Placement? Placement { get; init; }

    /// <summary>What it is to do; absent: <see cref="VirtualMachinePower.Running"/>.</summary>
    public VirtualMachinePower? Power { get; init; }

    /// <summary>When it is started again after its guest or its QEMU ended.</summary>
    public RestartPolicy RestartPolicy { get; init; } = RestartPolicy.Always;

    /// <summary>Seconds that a guest may take to end after it was asked to, before it is cut off; absent: 60.</summary>
    public int? TerminationGracePeriodSeconds { get; init; }

    /// <summary>What becomes of it when its node is shut down or restarted in order; absent: <see cref="VirtualMachineShutdown.Stop"/>.</summary>
    public VirtualMachineShutdown? OnNodeShutdown { get; init; }

    /// <summary>Whether it may run without KVM; absent: <see cref="VirtualMachineAcceleration.Required"/>.</summary>
    public VirtualMachineAcceleration? Acceleration { get; init; }

    /// <summary>QEMU's machine model; absent: <c>q35</c> on x86-64, <c>virt</c> on arm64.</summary>
    public VirtualMachineModel? Machine { get; init; }

    /// <summary>Its processors; absent: one.</summary>
    public VirtualCpuSpec? Cpu { get; init; }

    /// <summary>Its memory.</summary>
    public required VirtualMemorySpec Memory { get; init; }

    /// <summary>How it boots; absent: by UEFI, with a variable store of its own.</summary>
    public VirtualMachineBoot? Boot { get; init; }

    /// <summary>Its disks, in the order in which the guest finds them.</summary>
    public IReadOnlyList<VirtualDiskSpec>? Disks { get; init; }

    /// <summary>Snapshots of its disks that the node takes by itself; absent: none.</summary>
    public SnapshotScheduleSpec? Snapshots { get; init; }

    /// <summary>Its network cards; absent: one on the node's network; an empty list: none.</summary>
    public IReadOnlyList<VirtualInterfaceSpec>? Interfaces { get; init; }

    /// <summary>Its screen, which <c>edgevirt vnc</c> shows; absent: one as its machine model has it.</summary>
    public VirtualDisplaySpec? Display { get; init; }

    /// <summary>What the guest reads of itself in its SMBIOS tables (<c>dmidecode</c>); not on microvm.</summary>
    public VirtualSmbiosSpec? Smbios { get; init; }

    /// <summary>What QEMU's firmware configuration device (<c>fw_cfg</c>) has for the guest.</summary>
    public IReadOnlyList<FirmwareConfigSpec>? FirmwareConfig { get; init; }

    /// <summary>What Ignition in the guest is told, as <c>opt/com.coreos/config</c> of <see cref="FirmwareConfig"/>; absent: nothing.</summary>
    public IgnitionSpec? Ignition { get; init; }

    /// <summary>A watchdog that the guest has to feed once its driver has begun; absent: none. Not on microvm.</summary>
    public VirtualWatchdogSpec? Watchdog { get; init; }

    /// <summary>A TPM 2.0 whose state stays with the machine; absent: none. Not on microvm.</summary>
    public VirtualTpmSpec? Tpm { get; init; }

    /// <summary>Devices of the node that it gets for itself; while one is missing, it waits.</summary>
    public IReadOnlyList<VirtualDeviceSpec>? Devices { get; init; }

    /// <summary>What cloud-init in the guest is told by a NoCloud disk; absent: there is no such disk.</summary>
    public CloudInitSpec? CloudInit { get; init; }

    /// <summary>Secrets whose key <c>.dockerconfigjson</c> holds credentials of the registries that disks come from.</summary>
    public IReadOnlyList<LocalObjectReference>? ImagePullSecrets { get; init; }
}

/// <summary>What a virtual machine is to do.</summary>
public enum VirtualMachinePower
{
    /// <summary>Run.</summary>
    Running,

    /// <summary>Be off; its disks stay.</summary>
    Stopped,

    /// <summary>Stand still in memory.</summary>
    Paused,
}

/// <summary>What becomes of a virtual machine when its node goes down.</summary>
public enum VirtualMachineShutdown
{
    /// <summary>Its guest is asked to end, and is cut off after its grace period.</summary>
    Stop,

    /// <summary>Its memory is written to the node's disk, and its guest goes on from there. Where that cannot be, as <see cref="Stop"/>.</summary>
    Suspend,
}

/// <summary>Whether a virtual machine may run without KVM.</summary>
public enum VirtualMachineAcceleration
{
    /// <summary>Only under KVM. Emulation is many times slower, and QEMU gives no promise that it keeps a guest in.</summary>
    Required,

    /// <summary>Under KVM where the node has proven it, else emulated (TCG), which the condition Accelerated says.</summary>
    Preferred,
}

/// <summary>QEMU's machine models.</summary>
public enum VirtualMachineModel
{
    /// <summary>x86-64 with PCI Express.</summary>
    Q35,

    /// <summary>x86-64 with virtio alone, for a short start; boots a kernel directly.</summary>
    MicroVm,

    /// <summary>arm64 with PCI Express.</summary>
    Virt,
}

/// <summary>A virtual machine's processors.</summary>
public sealed record VirtualCpuSpec
{
    /// <summary>Cores in each socket; absent: 1. The guest sees sockets × cores × threads processors, at most 255 and no more than the node has.</summary>
    public int? Cores { get; init; }

    /// <summary>Sockets; absent: 1.</summary>
    public int? Sockets { get; init; }

    /// <summary>Threads in each core; absent: 1.</summary>
    public int? Threads { get; init; }

    /// <summary>Each processor of the guest runs on one of the node that no other machine runs on.</summary>
    public bool DedicatedCpuPlacement { get; init; }

    /// <summary>How many processors the guest sees.</summary>
    [JsonIgnore]
    public int Count => (Sockets ?? 1) * (Cores ?? 1) * (Threads ?? 1);

    /// <summary>Most CPU time that all of them take, in cores; absent: no limit.</summary>
    public Quantity? Limit { get; init; }
}

/// <summary>A virtual machine's memory.</summary>
public sealed record VirtualMemorySpec
{
    /// <summary>What the guest has, in bytes; whole MiB, at least 16 MiB.</summary>
    public required Quantity Size { get; init; }

    /// <summary>What the guest keeps when the node is short of memory, bytes; the rest may be taken for a while by its balloon. Absent: all.</summary>
    public Quantity? Minimum { get; init; }

    /// <summary>Huge pages that all of it is made of; absent: ordinary memory.</summary>
    public VirtualHugePages? Hugepages { get; init; }
}

/// <summary>How a virtual machine boots: exactly one of both.</summary>
public sealed record VirtualMachineBoot
{
    /// <summary>By firmware, from its disks.</summary>
    public VirtualFirmwareSpec? Firmware { get; init; }

    /// <summary>A kernel that QEMU loads, without firmware.</summary>
    public DirectKernelSpec? Kernel { get; init; }
}

/// <summary>The firmware of a virtual machine.</summary>
public sealed record VirtualFirmwareSpec
{
    /// <summary>Which; absent: <see cref="VirtualFirmwareType.Uefi"/>.</summary>
    public VirtualFirmwareType? Type { get; init; }
}

/// <summary>Kinds of firmware.</summary>
public enum VirtualFirmwareType
{
    /// <summary>EDK2, with variables that are kept.</summary>
    Uefi,

    /// <summary>SeaBIOS, x86-64 only.</summary>
    Bios,
}

/// <summary>A kernel that QEMU loads.</summary>
public sealed record DirectKernelSpec
{
    /// <summary>The OCI artifact or container image that has the files.</summary>
    public required string Image { get; init; }

    /// <summary>When the registry is asked.</summary>
    public ImagePullPolicy ImagePullPolicy { get; init; }

    /// <summary>Path of the kernel in it.</summary>
    public required string Kernel { get; init; }

    /// <summary>Path of the initial file system in it.</summary>
    public string? Initrd { get; init; }

    /// <summary>The kernel's command line.</summary>
    public string? CommandLine { get; init; }
}

/// <summary>One disk: exactly one of image, url, cloneOf and empty.</summary>
public sealed record VirtualDiskSpec
{
    /// <summary>DNS label, unique within the machine; the guest sees it as the disk's serial number (its first 20 characters).</summary>
    public required string Name { get; init; }

    /// <summary>From an OCI artifact or a container image.</summary>
    public DiskImageSource? Image { get; init; }

    /// <summary>From a web server.</summary>
    public DiskUrlSource? Url { get; init; }

    /// <summary>From a disk of another virtual machine on the same node.</summary>
    public DiskCloneSource? CloneOf { get; init; }

    /// <summary>Nothing on it; needs a size.</summary>
    public EmptyDiskSource? Empty { get; init; }

    /// <summary>Its size in bytes; absent: as its source. A larger one later makes it grow; it never shrinks.</summary>
    public Quantity? Size { get; init; }

    /// <summary>The guest cannot write to it.</summary>
    public bool ReadOnly { get; init; }

    /// <summary>When what the guest writes is on the node's disk; absent: <see cref="VirtualDiskCache.Writeback"/>. In force from its next start.</summary>
    public VirtualDiskCache? Cache { get; init; }

    /// <summary>What becomes of blocks that the guest gives back; absent: <see cref="VirtualDiskDiscard.Unmap"/>. In force from its next start.</summary>
    public VirtualDiskDiscard? Discard { get; init; }
}

/// <summary>How a disk's writes reach the node's disk. In every way what the guest has flushed is there after a power cut.</summary>
public enum VirtualDiskCache
{
    /// <summary>Through the node's page cache, on the disk when the guest flushes.</summary>
    Writeback,

    /// <summary>Through the page cache, on the disk before the guest is told; for guests that do not flush.</summary>
    Writethrough,

    /// <summary>Past the page cache (O_DIRECT), on the disk when the guest flushes: takes no memory of the node twice.</summary>
    None,
}

/// <summary>What becomes of blocks that a guest gives back (TRIM).</summary>
public enum VirtualDiskDiscard
{
    /// <summary>They take no room on the node any more.</summary>
    Unmap,

    /// <summary>They keep their room, so that it is there when the guest writes to them again.</summary>
    Ignore,
}

/// <summary>A disk in an OCI artifact.</summary>
public sealed record DiskImageSource
{
    /// <summary>Registry reference by tag or digest.</summary>
    public required string Reference { get; init; }

    /// <summary>When the registry is asked.</summary>
    public ImagePullPolicy PullPolicy { get; init; }

    /// <summary>Path of the disk in it, raw or qcow2; absent: the one file below <c>/disk</c>.</summary>
    public string? Path { get; init; }
}

/// <summary>A disk on a web server.</summary>
public sealed record DiskUrlSource
{
    /// <summary>By https, or by http with a checksum all the same.</summary>
    public required string Location { get; init; }

    /// <summary>SHA-256 of the file, 64 hexadecimal digits.</summary>
    public required string Sha256 { get; init; }
}

/// <summary>A disk of another virtual machine on the same node, as it is when this one is first started there.</summary>
public sealed record DiskCloneSource
{
    /// <summary>The machine's name; it was started on the node before.</summary>
    public required string Machine { get; init; }

    /// <summary>The disk's name in it.</summary>
    public required string Disk { get; init; }

    /// <summary>The snapshot that has it; absent: as it is at that moment, while the machine goes on.</summary>
    public string? Snapshot { get; init; }
}

/// <summary>A disk with nothing on it.</summary>
public sealed record EmptyDiskSource;

/// <summary>Snapshots that a node takes of a virtual machine while it runs, also without the hub.</summary>
public sealed record SnapshotScheduleSpec
{
    /// <summary>Seconds from one to the next, 300 to 31536000 (a year).</summary>
    public required int IntervalSeconds { get; init; }

    /// <summary>How many of them stay, 1 to 48; the oldest goes first. Those that people take are not counted and stay.</summary>
    public required int Keep { get; init; }
}

/// <summary>A network card on the node's network.</summary>
public sealed record VirtualInterfaceSpec
{
    /// <summary>DNS label, unique within the machine.</summary>
    public required string Name { get; init; }

    /// <summary>Its address on the wire, e.g. <c>52:54:00:12:34:56</c>; absent: one that follows from node and machine and stays.</summary>
    public string? MacAddress { get; init; }

    /// <summary>Ports that listen, and on which node port they are published.</summary>
    public IReadOnlyList<ContainerPort>? Ports { get; init; }

    /// <summary>What it may carry; absent: as much as the node does.</summary>
    public VirtualBandwidth? Bandwidth { get; init; }
}

/// <summary>The screen of a virtual machine.</summary>
public sealed record VirtualDisplaySpec
{
    /// <summary>Its graphics card; absent: <see cref="VirtualDisplayType.Vga"/> on q35, <see cref="VirtualDisplayType.Virtio"/> on virt, none on microvm.</summary>
    public VirtualDisplayType? Type { get; init; }
}

/// <summary>Graphics cards.</summary>
public enum VirtualDisplayType
{
    /// <summary>No screen, no keyboard and no pointer: less memory, and a serial console alone.</summary>
    None,

    /// <summary>Standard VGA, which every x86-64 guest knows.</summary>
    Vga,

    /// <summary>virtio-gpu; the guest needs its driver.</summary>
    Virtio,
}

/// <summary>What cloud-init is told.</summary>
public sealed record CloudInitSpec
{
    /// <summary>The user-data itself; not with <see cref="UserDataSecret"/>.</summary>
    public string? UserData { get; init; }

    /// <summary>The Secret that has it under the key <c>userdata</c>.</summary>
    public LocalObjectReference? UserDataSecret { get; init; }

    /// <summary>network-config, version 2; absent: DHCP on every card.</summary>
    public string? NetworkConfig { get; init; }

    /// <summary>Public keys that may log in by SSH as the guest's default user.</summary>
    public IReadOnlyList<string>? SshAuthorizedKeys { get; init; }

    /// <summary>The guest's host name; absent: the machine's name.</summary>
    public string? Hostname { get; init; }
}
