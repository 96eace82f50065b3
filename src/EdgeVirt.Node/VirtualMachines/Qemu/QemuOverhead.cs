using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Node.VirtualMachines.Qemu;

/// <summary>
/// How much memory a QEMU takes beside its guest's. Measured with 256 MiB guests, all of it touched (QEMU 7.2, Debian's kernel): q35 with
/// display under KVM 53 MB; emulated microvm 59 MB, q35 101 MB, q35 with display and 4 processors 111 MB. A third more is granted, for
/// what disks and displays take while they are busy and for what the console keeps. <c>VmProcessTests</c> holds it against a QEMU that runs.
/// </summary>
internal static class QemuOverhead
{
    private const long MiB = 1 << 20;

    /// <summary>Bytes beside the guest's memory that VFIO may pin: registers of devices, as libvirt counts them.</summary>
    public const long MappedByVfio = 1024 * MiB;

    private const long Base = 56 * MiB;
    private const long Display = 24 * MiB;
    private const long PerCore = 2 * MiB;
    private const long PerDisk = 4 * MiB;

    // swtpm, which lies in the same control group.
    private const long Tpm = 16 * MiB;

    // The buffer of translated code and the tables that go with it.
    private const long Emulation = (QemuCommandLine.TranslationBufferMiB + 32) * MiB;

    /// <summary>Bytes beside the guest's memory.</summary>
    public static long Of(QemuGuest guest) =>
        Base
        + (guest.Display == VirtualDisplayType.None ? 0 : Display)
        + (PerCore * (guest.Spec.Cpu?.Count ?? 1))
        + (PerDisk * guest.Disks.Count)
        + (guest.Spec.Tpm is null ? 0 : Tpm)
        + (guest.Acceleration.Kvm ? 0 : Emulation);

    /// <summary>Bytes that the machine takes of the node's ordinary memory: its own, unless that is made of huge pages, and QEMU's.</summary>
    public static long Total(QemuGuest guest) => (guest.Spec.Memory.Hugepages is null ? (long)guest.Spec.Memory.Size.Value : 0) + Of(guest);
}
