using System.Globalization;
using EdgeVirt.Linux.Files;

namespace EdgeVirt.Linux.Storage;

/// <summary>Disks, as the kernel numbers them.</summary>
public static class BlockDevices
{
    /// <summary>
    /// The whole disk that holds a path: control groups limit disks, not partitions.
    /// </summary>
    /// <returns>Null: the path lies on no disk of its own (tmpfs, overlayfs, btrfs).</returns>
    public static DeviceNumber? DiskOf(string path)
    {
        if (FileSystemOf(path) is not { } device)
        {
            return null;
        }

        var block = $"/sys/dev/block/{device}";
        if (!Directory.Exists(block))
        {
            return null;
        }

        // A partition's directory lies in that of its disk; this one is a link to it.
        var real = File.ResolveLinkTarget(block, returnFinalTarget: true)?.FullName ?? block;
        return File.Exists(Path.Combine(real, "partition")) ? Read(Path.Combine(Path.GetDirectoryName(real)!, "dev")) : device;
    }

    // What is not there yet will lie where its directory does.
    private static DeviceNumber? FileSystemOf(string path)
    {
        for (var at = Path.GetFullPath(path); at is not null; at = Path.GetDirectoryName(at))
        {
            using var pinned = PinnedPath.TryOpen(at);
            if (pinned is not null)
            {
                return pinned.FileSystem;
            }
        }

        return null;
    }

    private static DeviceNumber? Read(string path) =>
        File.Exists(path) && File.ReadAllText(path).Trim().Split(':') is [var major, var minor] &&
        uint.TryParse(major, CultureInfo.InvariantCulture, out var first) && uint.TryParse(minor, CultureInfo.InvariantCulture, out var second)
            ? new DeviceNumber(first, second)
            : null;
}
