using System.Text;
using EdgeVirt.Linux;
using EdgeVirt.Linux.Files;

namespace EdgeVirt.Node.Containers.Images.Layers;

/// <summary>Unpacks one tar stream into a directory of its own, as overlayfs wants a lower layer.</summary>
internal sealed class LayerUnpacker(TarReader tar, ConfinedTree tree, UnpackLimits limits, Action<long> checkDisk)
{
    private const long DiskCheckBytes = 8 << 20;
    private const int DiskCheckEntries = 1000;

    private static readonly byte[] s_whiteout = ".wh."u8.ToArray();
    private static readonly byte[] s_opaque = ".wh..wh..opq"u8.ToArray();

    private readonly byte[] _buffer = new byte[64 << 10];
    private long _sinceCheck;

    /// <summary>How many entries there were.</summary>
    public int Entries { get; private set; }

    public void Run(CancellationToken ct)
    {
        try
        {
            while (tar.Next() is { } entry)
            {
                ct.ThrowIfCancellationRequested();
                if (++Entries > limits.MaxEntries)
                {
                    throw new ImageRefusedException(ImageRefusedReason.TooLarge, $"Layer refused: it has more than {limits.MaxEntries} entries.");
                }

                if (Entries % DiskCheckEntries == 0)
                {
                    checkDisk(0);
                }

                Make(entry, ct);
            }
        }
        catch (OutsideTreeException outside)
        {
            throw new ImageRefusedException(outside.ThroughSymlink ? ImageRefusedReason.ThroughSymlink : ImageRefusedReason.EscapingPath,
                $"Layer refused: {outside.Message}.", outside);
        }
        catch (LinuxException failed) when (IsOfTheEntry(failed.Errno))
        {
            throw new ImageRefusedException(ImageRefusedReason.UnsupportedEntry, $"Layer refused: an entry cannot be made on this node's file system ({failed.Message}).", failed);
        }
    }

    /// <summary>What the kernel says to attributes and names that no entry can have here. Not EPERM: that is what it says of a node that may not.</summary>
    private static bool IsOfTheEntry(int errno) => errno is TooBig or Invalid or TooManyLinks or OutOfRange or NameTooLong;

    private const int TooBig = 7;
    private const int Invalid = 22;
    private const int TooManyLinks = 31;
    private const int OutOfRange = 34;
    private const int NameTooLong = 36;

    private void Make(TarEntry entry, CancellationToken ct)
    {
        var path = LayerPath.Normalise(entry.Name);
        if (path.Length == 0)
        {
            if (entry.Kind == TarKind.Directory)
            {
                tree.MakeDirectory(path, entry.Metadata);
                return;
            }

            throw new ImageRefusedException(ImageRefusedReason.EscapingPath, "Layer refused: its root is no directory.");
        }

        if (IsWhiteout(path, entry))
        {
            return;
        }

        CheckAttributes(path, entry);
        switch (entry.Kind)
        {
            case TarKind.Directory:
                tree.MakeDirectory(path, entry.Metadata);
                break;
            case TarKind.File:
                WriteFile(path, entry, ct);
                break;
            case TarKind.SymbolicLink:
                MakeSymbolicLink(path, entry);
                break;
            case TarKind.HardLink:
                MakeHardLink(path, entry);
                break;
            case TarKind.Fifo:
                tree.MakeFifo(path, entry.Metadata);
                break;
            default:
                MakeDevice(path, entry);
                break;
        }
    }

    /// <summary>Carries out whiteouts. Other <c>.wh..wh.</c> names are a former file system's own files: left out, as everywhere.</summary>
    private bool IsWhiteout(ReadOnlySpan<byte> path, TarEntry entry)
    {
        foreach (var range in path.Split((byte)'/'))
        {
            var part = path[range];
            if (!part.StartsWith(s_whiteout))
            {
                continue;
            }

            var isLast = range.End.GetOffset(path.Length) == path.Length;
            if (part.StartsWith(".wh..wh."u8) && !(isLast && part.SequenceEqual(s_opaque)))
            {
                return true;
            }

            if (!isLast || entry.Kind != TarKind.File)
            {
                throw BadWhiteout(path);
            }
        }

        var name = LayerPath.FileName(path, out var directory);
        if (name.SequenceEqual(s_opaque))
        {
            tree.MakeOpaque(directory);
            return true;
        }

        if (!name.StartsWith(s_whiteout))
        {
            return false;
        }

        var hidden = name[s_whiteout.Length..];
        if (hidden.IsEmpty || hidden.SequenceEqual("."u8) || hidden.SequenceEqual(".."u8))
        {
            throw BadWhiteout(path);
        }

        tree.MakeWhiteout(directory.IsEmpty ? hidden.ToArray() : [.. directory, (byte)'/', .. hidden]);
        return true;
    }

    /// <summary>Attributes "user." exist of files and directories alone (xattr(7)); the kernel's answer to others is the one that it gives where the node may not.</summary>
    private static void CheckAttributes(byte[] path, TarEntry entry)
    {
        if (entry.Kind is not (TarKind.File or TarKind.Directory or TarKind.HardLink)
            && entry.Metadata.Attributes.Any(attribute => attribute.Name.StartsWith("user.", StringComparison.Ordinal)))
        {
            throw new ImageRefusedException(ImageRefusedReason.UnsupportedEntry, $"Layer refused: '{Show(path)}' is neither file nor directory and has an attribute that only these can have.");
        }
    }

    private void WriteFile(byte[] path, TarEntry entry, CancellationToken ct)
    {
        using var file = tree.CreateFile(path);
        long offset = 0;
        for (var read = tar.Read(_buffer); read > 0; read = tar.Read(_buffer))
        {
            ct.ThrowIfCancellationRequested();
            RandomAccess.Write(file, _buffer.AsSpan(0, read), offset);
            offset += read;
            _sinceCheck += read;
            if (_sinceCheck >= DiskCheckBytes)
            {
                _sinceCheck = 0;
                checkDisk(0);
            }
        }

        ConfinedTree.Finish(file, entry.Metadata);
    }

    private void MakeSymbolicLink(byte[] path, TarEntry entry)
    {
        if (entry.LinkName.Length is 0 or > 4095)
        {
            throw new ImageRefusedException(ImageRefusedReason.EscapingPath, $"Layer refused: the target of the symbolic link '{Show(path)}' is empty or too long.");
        }

        tree.MakeSymbolicLink(path, entry.LinkName, entry.Metadata);
    }

    private void MakeHardLink(byte[] path, TarEntry entry)
    {
        try
        {
            tree.MakeHardLink(path, LayerPath.Normalise(entry.LinkName));
        }
        catch (Exception escaping) when (escaping is OutsideTreeException or ImageRefusedException { Reason: ImageRefusedReason.EscapingPath })
        {
            throw new ImageRefusedException(ImageRefusedReason.EscapingLink, $"Layer refused: hard link '{Show(path)}': {escaping.Message}", escaping);
        }
    }

    /// <summary>
    /// Made as it is, as other engines do: what a container may open is decided by its control group and not by what lies in its image, and
    /// on the node itself nobody but root gets near a layer. But 0:0 is how overlayfs says that something is hidden.
    /// </summary>
    private void MakeDevice(byte[] path, TarEntry entry)
    {
        if (entry.Device is { Major: 0, Minor: 0 })
        {
            throw new ImageRefusedException(ImageRefusedReason.DeviceNode, $"Layer refused: '{Show(path)}' is a device node without a number.");
        }

        tree.MakeDevice(path, entry.Kind == TarKind.BlockDevice, entry.Device, entry.Metadata);
    }

    private static ImageRefusedException BadWhiteout(ReadOnlySpan<byte> path) =>
        new(ImageRefusedReason.BadWhiteout, $"Layer refused: '{Show(path)}' is no whiteout that makes sense.");

    private static string Show(ReadOnlySpan<byte> path) => Encoding.UTF8.GetString(path);
}
