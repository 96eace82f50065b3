using EdgeVirt.Node.VirtualMachines.Qemu;

namespace EdgeVirt.Node.VirtualMachines.Memory;

/// <summary>Huge pages that a machine's memory is made of.</summary>
/// <param name="PageBytes">Size of one.</param>
/// <param name="Bytes">Of all of them.</param>
internal sealed record VmHugePages(long PageBytes, long Bytes)
{
    // A slow board clears half a GiB a second; QEMU's monitor answers after that.
    private const long ClearedPerSecond = 512L << 20;

    /// <summary>How much longer QEMU may take to start.</summary>
    public TimeSpan Patience => TimeSpan.FromSeconds((double)Bytes / ClearedPerSecond);

    /// <summary>Those of a guest; null: it has ordinary memory.</summary>
    public static VmHugePages? Of(QemuGuest guest) =>
        guest.Spec.Memory.Hugepages is { } pages ? new VmHugePages((long)pages.PageSize.Value, (long)guest.Spec.Memory.Size.Value) : null;
}
