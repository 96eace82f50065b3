using System.Security.Cryptography;
using System.Text;
using EdgeVirt.Linux;
using EdgeVirt.Node.VirtualMachines.Qemu;

namespace EdgeVirt.Node.VirtualMachines.Suspend;

/// <summary>What is written down about a guest whose memory lies on the node's disk. It goes on from there once, or never: its disks move on with the next start.</summary>
/// <param name="At">When it was saved.</param>
/// <param name="Bytes">Of the file.</param>
/// <param name="Sha256">Of the file, hexadecimal.</param>
/// <param name="Setting">What it ran in.</param>
internal sealed record SavedGuest(DateTimeOffset At, long Bytes, string Sha256, GuestSetting Setting);

/// <summary>All that has to be the same for a saved memory to fit: another QEMU, another card or another layer of a disk would corrupt the guest.</summary>
/// <param name="Arguments">Digest of QEMU's arguments.</param>
/// <param name="Kernel">The node's kernel, where its KVM lent the processors; null: emulated.</param>
/// <param name="Qemu">Version.</param>
/// <param name="TscKilohertz">What the guest was told of its clock; null: nothing.</param>
internal sealed record GuestSetting(string Arguments, string? Kernel, string Qemu, long? TscKilohertz)
{
    /// <summary>That of a guest that is started now.</summary>
    public static GuestSetting Of(QemuGuest guest, IReadOnlyList<string> arguments, string qemu) => new(
        Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\0', arguments)))),
        guest.Acceleration.Kvm ? SystemFacts.Kernel : null,
        qemu,
        guest.Acceleration.TscKilohertz);

    /// <summary>Why a memory that was saved in this setting does not fit into another; null: it does.</summary>
    public string? WhyNot(GuestSetting now) =>
        Qemu != now.Qemu ? $"QEMU is {now.Qemu} now and was {Qemu}"
        : Kernel != now.Kernel ? $"the node's kernel is {now.Kernel ?? "not used (no KVM)"} now and was {Kernel ?? "not used (no KVM)"}"
        : this != now ? "the machine itself was changed meanwhile"
        : null;
}
