using System.Globalization;

namespace EdgeVirt.Node.VirtualMachines.Qemu;

/// <summary>
/// What the parts of disks are called in QEMU. The names follow from disk and layer, so that the next agent knows those of a QEMU
/// that an earlier one started. QEMU allows 31 characters; names of disks differ in their first 20 and have no dot.
/// </summary>
internal static class DiskNodes
{
    public const string Prefix = "disk-";
    private const int MostOfName = 20;

    /// <summary>A layer of a disk.</summary>
    public static string Of(string disk, int layer) => layer == 0 ? Start(disk) : $"{Start(disk)}.{layer.ToString("x", CultureInfo.InvariantCulture)}";

    /// <summary>What a disk began from.</summary>
    public static string BaseOf(string disk) => $"{Start(disk)}.base";

    private static string Start(string disk) => Prefix + disk[..Math.Min(disk.Length, MostOfName)];
}
