using System.Globalization;
using EdgeVirt.Linux;
using EdgeVirt.Linux.Storage;

namespace EdgeVirt.Cli.Flash;

/// <summary>Disks as /sys/block has them, and what /proc says of their use.</summary>
/// <param name="sys">Where sysfs is.</param>
/// <param name="proc">Where /proc/self/mountinfo and /proc/swaps are.</param>
/// <param name="dev">Where device files are.</param>
internal sealed class LinuxBlockTargets(string sys = "/sys", string proc = "/proc", string dev = "/dev") : IBlockTargets
{
    private const int SectorBytes = 512;
    private const int EACCES = 13;
    private const int EBUSY = 16;
    private const int EPERM = 1;
    private const int EROFS = 30;
    private static readonly string[] NeverDisks = ["ram", "zram", "dm-", "md", "sr", "fd", "nbd", "zd", "mtdblock"];

    public IReadOnlyList<TargetDisk> List()
    {
        var block = Path.Combine(sys, "block");
        if (!Directory.Exists(block))
        {
            return [];
        }

        var uses = new LinuxDiskUses(sys, proc);
        return [
            .. Directory.EnumerateFileSystemEntries(block).Select(entry => Path.GetFileName(entry)).Where(IsDisk).Order(StringComparer.Ordinal)
                .Select(name => Read(name, uses)),
        ];
    }

    public TargetDisk? Find(string path)
    {
        var full = Path.GetFullPath(path);
        var real = File.Exists(full) ? File.ResolveLinkTarget(full, returnFinalTarget: true)?.FullName ?? full : full;
        if (Path.GetDirectoryName(real) != dev)
        {
            return null;
        }

        var name = Path.GetFileName(real);
        if (Directory.Exists(Path.Combine(sys, "block", name)))
        {
            return IsDisk(name)
                ? Read(name, new LinuxDiskUses(sys, proc))
                : throw Refused($"'{path}' is no disk that an image can be written to.", "See 'edgevirt flash --list'.");
        }

        var whole = Directory.EnumerateFileSystemEntries(Path.Combine(sys, "block")).Select(entry => Path.GetFileName(entry))
            .FirstOrDefault(disk => Directory.Exists(Path.Combine(sys, "block", disk, name)));
        return whole is null
            ? null
            : throw Refused($"'{path}' is a partition; an image has partitions of its own and needs all of the disk.", $"If that disk is the one: --to {Path.Combine(dev, whole)}.");
    }

    public IFlashTarget OpenDisk(TargetDisk disk, bool exclusively)
    {
        try
        {
            return new LinuxTarget(disk.Path, DirectFile.Open(disk.Path, exclusively), () => !Directory.Exists(Path.Combine(sys, "block", disk.Name)));
        }
        catch (LinuxException fault)
        {
            throw fault.Errno switch
            {
                EBUSY => Refused($"'{disk.Path}' is in use.", "Unmount what is mounted of it, or close the program that has it open, then try again."),
                EROFS => Refused($"'{disk.Path}' is write-protected.", "Look at the switch at the card's or adapter's side."),
                EACCES or EPERM => new CliException(ExitCodes.Unauthorized, $"'{disk.Path}' may not be opened for writing.", "Run it as root: sudo edgevirt flash …"),
                _ => new CliException(ExitCodes.TargetFailed, $"'{disk.Path}' cannot be opened: {fault.Message}.", "Is it plugged in, and a card in the reader?"),
            };
        }
    }

    public IFlashTarget OpenFile(string path, long bytes, bool mayOverwrite)
    {
        if (Directory.Exists(path) || path.StartsWith(dev + "/", StringComparison.Ordinal))
        {
            // A new regular file in /dev, for a card that is not plugged in, would fill memory.
            throw new CliException(ExitCodes.NotFound, Directory.Exists(path) ? $"'{path}' is a directory." : $"there is no disk '{path}'.", "Give a disk that 'edgevirt flash --list' shows, or the path of a file.");
        }

        DirectFile? file = null;
        try
        {
            using (new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.ReadWrite))
            {
            }

            file = DirectFile.Open(path, exclusively: false);
            if (file.Length > 0 && !mayOverwrite && !file.IsAllHoles)
            {
                throw Refused($"the file '{path}' is there and holds something.", "Give --force to overwrite it, or another name.");
            }

            if (file.Length == 0)
            {
                file.SetLength((bytes + SectorBytes - 1) / SectorBytes * SectorBytes);
            }

            return new LinuxTarget(path, file, () => !File.Exists(path));
        }
        catch (Exception fault)
        {
            file?.Dispose();
            throw fault is IOException or UnauthorizedAccessException
                ? new CliException(ExitCodes.TargetFailed, $"the file '{path}' cannot be opened for writing: {fault.Message.TrimEnd('.')}.", "Give the path of a file in a directory that is there.")
                : fault;
        }
    }

    private static CliException Refused(string message, string hint) => new(ExitCodes.TargetRefused, message, hint);

    // Boot areas of an eMMC and its locked memory look like disks of their own.
    private static bool IsDisk(string name) =>
        !NeverDisks.Any(kind => name.StartsWith(kind, StringComparison.Ordinal)) && !(name.StartsWith("mmcblk", StringComparison.Ordinal) && (name.Contains("boot", StringComparison.Ordinal) || name.Contains("rpmb", StringComparison.Ordinal)));

    private TargetDisk Read(string name, LinuxDiskUses uses)
    {
        var block = Path.Combine(sys, "block", name);
        var real = new DirectoryInfo(block).ResolveLinkTarget(returnFinalTarget: true)?.FullName ?? block;
        var bus = BusOf(name, real);
        var (use, usedFor) = uses.Of(name);
        return new TargetDisk
        {
            Name = name,
            Path = Path.Combine(dev, name),
            Bytes = long.Parse(Line(block, "size") ?? "0", CultureInfo.InvariantCulture) * SectorBytes,
            Bus = bus,
            Vendor = Line(block, "device/vendor") is { } vendor && !vendor.StartsWith("0x", StringComparison.Ordinal) ? vendor : null,
            Model = Line(block, "device/model") ?? Line(block, "device/name"),
            Serial = Line(block, "device/serial") ?? (bus == "usb" ? SerialAbove(real) : null) ?? Line(block, "serial"),
            // A slot for SD cards does not say that its cards can be taken out.
            IsRemovable = Line(block, "removable") == "1" || bus == "usb" || (bus == "mmc" && Line(block, "device/type") is "SD"),
            IsReadOnly = Line(block, "ro") == "1",
            Use = use,
            UsedFor = usedFor,
        };
    }

    private static string BusOf(string name, string real) =>
        name.StartsWith("loop", StringComparison.Ordinal) ? "loop"
        : name.StartsWith("nvme", StringComparison.Ordinal) ? "nvme"
        : name.StartsWith("mmcblk", StringComparison.Ordinal) ? "mmc"
        : real.Split('/') is var parts && parts.Any(part => part.StartsWith("usb", StringComparison.Ordinal)) ? "usb"
        : parts.Any(part => part.StartsWith("ata", StringComparison.Ordinal)) ? "sata"
        : parts.Any(part => part.StartsWith("virtio", StringComparison.Ordinal)) ? "virtio"
        : "other";

    // The number of a USB device stands at the device, some directories above its disk.
    private static string? SerialAbove(string real)
    {
        for (var at = Path.GetDirectoryName(real); at is { Length: > 4 }; at = Path.GetDirectoryName(at))
        {
            if (Line(at, "serial") is { } serial)
            {
                return serial;
            }

            if (Path.GetFileName(at).StartsWith("usb", StringComparison.Ordinal))
            {
                return null;
            }
        }

        return null;
    }

    private static string? Line(string directory, string name)
    {
        try
        {
            var path = Path.Combine(directory, name);
            return File.Exists(path) && File.ReadAllText(path).Trim('\0', '\n', ' ') is { Length: > 0 } text ? text : null;
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
