using System.Buffers.Binary;
using System.Globalization;
using EdgeVirt.Node.VirtualMachines.Qemu;

namespace EdgeVirt.Node.VirtualMachines.Disks;

/// <summary>
/// The start of a qcow2 file (QEMU's docs/interop/qcow2.txt), read without QEMU: a header can name files of the node, and a program
/// that opens the disk would open those too. Numbers are big-endian.
/// </summary>
internal static class Qcow2Header
{
    /// <summary>How many bytes of a file have to be looked at.</summary>
    public const int Length = 512;

    private const uint Magic = 0x514649FB; // "QFI" 0xFB
    private const ulong Dirty = 1;
    private const ulong Corrupt = 2;
    private const ulong ExternalData = 4;
    private const ulong CompressionType = 8;
    private const ulong ExtendedEntries = 16;

    /// <summary>The format of a disk that came from outside and that nobody has written to since. A guest's raw disk must never be asked: the guest may have written a header into it.</summary>
    /// <param name="start">The first <see cref="Length"/> bytes; all where there are fewer.</param>
    /// <exception cref="DiskRefusedException">It is in a format that is not taken, or wants other files.</exception>
    public static DiskFormat FormatOf(ReadOnlySpan<byte> start)
    {
        if (start.Length >= 4 && BinaryPrimitives.ReadUInt32BigEndian(start) == Magic)
        {
            Check(start);
            return DiskFormat.Qcow2;
        }

        var other =
            start.StartsWith("KDMV"u8) || start.StartsWith("# Disk DescriptorFile"u8) ? "VMware's vmdk"
            : start.StartsWith("vhdxfile"u8) ? "Microsoft's vhdx"
            : start.StartsWith("conectix"u8) ? "Microsoft's vpc"
            : start.Length >= 0x44 && BinaryPrimitives.ReadUInt32LittleEndian(start[0x40..]) == 0xBEDA107F ? "VirtualBox's vdi"
            : start.StartsWith("QED\0"u8) ? "qed"
            : start.StartsWith("LUKS"u8) ? "encrypted by LUKS"
            : start.StartsWith((ReadOnlySpan<byte>)[0x1F, 0x8B]) ? "compressed by gzip"
            : start.StartsWith((ReadOnlySpan<byte>)[0xFD, 0x37, 0x7A, 0x58, 0x5A]) ? "compressed by xz"
            : start.StartsWith((ReadOnlySpan<byte>)[0x28, 0xB5, 0x2F, 0xFD]) ? "compressed by zstd"
            : null;
        return other is null
            ? DiskFormat.Raw
            : throw new DiskRefusedException(DiskRefusedReason.Unsupported, $"the disk is {other}; only raw and qcow2 are taken: turn it into qcow2, e.g. by qemu-img convert -O qcow2");
    }

    private static void Check(ReadOnlySpan<byte> start)
    {
        const int Version2 = 72;
        const int Version3 = 104;
        if (start.Length < Version2)
        {
            throw new DiskRefusedException(DiskRefusedReason.Corrupt, "the qcow2 file ends within its header");
        }

        var version = BinaryPrimitives.ReadUInt32BigEndian(start[4..]);
        if (version is not (2 or 3))
        {
            throw new DiskRefusedException(DiskRefusedReason.Unsupported, string.Create(CultureInfo.InvariantCulture, $"the disk is qcow2 of version {version}; versions 2 and 3 are taken"));
        }

        if (BinaryPrimitives.ReadUInt64BigEndian(start[8..]) != 0)
        {
            throw new DiskRefusedException(
                DiskRefusedReason.NamesAnotherFile, "the qcow2 file names a backing file, which is not in it; make it whole, e.g. by qemu-img convert -O qcow2");
        }

        if (BinaryPrimitives.ReadUInt32BigEndian(start[32..]) != 0)
        {
            throw new DiskRefusedException(DiskRefusedReason.Unsupported, "the qcow2 file is encrypted; give one that is not");
        }

        if (version == 2)
        {
            return;
        }

        if (start.Length < Version3)
        {
            throw new DiskRefusedException(DiskRefusedReason.Corrupt, "the qcow2 file ends within its header");
        }

        var features = BinaryPrimitives.ReadUInt64BigEndian(start[72..]);
        if ((features & ExternalData) != 0)
        {
            throw new DiskRefusedException(
                DiskRefusedReason.NamesAnotherFile, "the qcow2 file keeps its data in another file, which is not in it; make it whole, e.g. by qemu-img convert -O qcow2");
        }

        if ((features & (Corrupt | Dirty)) != 0)
        {
            throw new DiskRefusedException(
                DiskRefusedReason.Corrupt, $"the qcow2 file is marked {((features & Corrupt) != 0 ? "corrupt" : "as not closed")}; repair it, e.g. by qemu-img check -r all");
        }

        if ((features & ~(Dirty | Corrupt | ExternalData | CompressionType | ExtendedEntries)) is var unknown and not 0)
        {
            throw new DiskRefusedException(DiskRefusedReason.Unsupported, string.Create(CultureInfo.InvariantCulture, $"the qcow2 file needs features that are not known here (0x{unknown:x})"));
        }
    }
}
