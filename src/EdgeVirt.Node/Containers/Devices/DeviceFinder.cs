using System.Globalization;
using System.IO.Enumeration;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Linux;
using EdgeVirt.Linux.Files;

namespace EdgeVirt.Node.Containers.Devices;

/// <summary>A device as it is on the node now, and where it appears in a container.</summary>
/// <param name="Path">In the container.</param>
/// <param name="IsBlock">A block device, not a character device.</param>
/// <param name="Number">Its number.</param>
/// <param name="Mode">Permission bits.</param>
/// <param name="User">Owner.</param>
/// <param name="Group">Group.</param>
internal sealed record FoundDevice(string Path, bool IsBlock, DeviceNumber Number, uint Mode, uint User, uint Group);

/// <summary>No device fits; the message says what was looked for, and where.</summary>
internal sealed class DeviceMissingException(string message) : Exception(message);

/// <summary>Finds the devices that workloads ask for. Looks anew each time: devices come and go.</summary>
/// <param name="declared">Names that the node's options give.</param>
/// <param name="sys">Where sysfs is.</param>
internal sealed class DeviceFinder(IReadOnlyList<DeclaredDevice> declared, string sys = "/sys")
{
    // What people call a class, and where the kernel keeps it. GPIO chips have numbers on the bus alone.
    private static readonly Dictionary<string, string> Places = new()
    {
        ["video"] = "class/video4linux", ["i2c"] = "class/i2c-dev", ["spi"] = "class/spidev", ["gpio"] = "bus/gpio/devices",
    };

    /// <summary>All devices that one entry stands for, at least one.</summary>
    /// <exception cref="DeviceMissingException">There is none now.</exception>
    /// <exception cref="IOException">It cannot be looked at.</exception>
    public IReadOnlyList<FoundDevice> Find(DeviceSpec spec)
    {
        if (spec.Class is { } kind)
        {
            return OfClass(kind);
        }

        var path = spec.Path ?? declared.FirstOrDefault(device => device.Name == spec.Name)?.Path ?? throw new DeviceMissingException(
            $"device '{spec.Name}' is not declared on this node; add {{\"name\": \"{spec.Name}\", \"path\": \"/dev/…\"}} to devices in its agent.json");
        return path.AsSpan().ContainsAny('*', '?')
            ? Matching(path)
            : [TryOpen(path, spec.ContainerPath ?? path) ?? throw new DeviceMissingException($"device {(spec.Name is null ? path : $"'{spec.Name}' ({path})")} is not there; plug it in")];
    }

    /// <summary>Those of several entries; where two stand for the same path in the container, the first counts.</summary>
    /// <exception cref="DeviceMissingException">There is none for one of them.</exception>
    public IReadOnlyList<(FoundDevice Device, string Permissions)> FindAll(IReadOnlyList<DeviceSpec>? specs) =>
        [.. (specs ?? []).SelectMany(spec => Find(spec).Select(device => (device, spec.Permissions ?? "rw"))).DistinctBy(found => found.device.Path)];

    private static List<FoundDevice> Matching(string pattern)
    {
        var (directory, name) = (System.IO.Path.GetDirectoryName(pattern)!, System.IO.Path.GetFileName(pattern));
        var found = Names(directory)
            .Where(entry => FileSystemName.MatchesSimpleExpression(name, entry, ignoreCase: false))
            .Select(entry => TryOpen($"{directory}/{entry}", $"{directory}/{entry}"))
            .OfType<FoundDevice>()
            .ToList();
        return found.Count > 0 ? found : throw new DeviceMissingException($"no device {pattern} is there; plug one in");
    }

    private List<FoundDevice> OfClass(string kind)
    {
        var place = System.IO.Path.Combine(sys, Places.GetValueOrDefault(kind) ?? $"class/{kind}");
        var found = Names(place).Select(name => DeviceOf(System.IO.Path.Combine(place, name), kind)).OfType<FoundDevice>().ToList();
        return found.Count > 0 ? found : throw new DeviceMissingException($"no device of class '{kind}' is there ({place}); plug one in");
    }

    // The kernel says which node in /dev is its own (uevent, DEVNAME).
    private static FoundDevice? DeviceOf(string entry, string kind)
    {
        var uevent = System.IO.Path.Combine(entry, "uevent");
        if (!File.Exists(System.IO.Path.Combine(entry, "dev")) || !File.Exists(uevent) ||
            File.ReadLines(uevent).FirstOrDefault(line => line.StartsWith("DEVNAME=", StringComparison.Ordinal)) is not { } said)
        {
            return null;
        }

        var path = "/dev/" + said["DEVNAME=".Length..];
        if (TryOpen(path, path) is { } found)
        {
            return found;
        }

        var numbers = File.ReadAllText(System.IO.Path.Combine(entry, "dev")).Trim().Split(':');
        return new FoundDevice(
            path, kind == "block", new DeviceNumber(uint.Parse(numbers[0], CultureInfo.InvariantCulture), uint.Parse(numbers[1], CultureInfo.InvariantCulture)), 0x1B0, 0, 0);
    }

    private static FoundDevice? TryOpen(string path, string inside)
    {
        using var pinned = PinnedPath.TryOpen(path);
        return pinned is { Kind: FileKind.CharacterDevice or FileKind.BlockDevice }
            ? new FoundDevice(inside, pinned.Kind == FileKind.BlockDevice, pinned.Device, pinned.Mode, pinned.User, pinned.Group)
            : null;
    }

    private static IEnumerable<string> Names(string directory) => Directory.Exists(directory)
        ? Directory.EnumerateFileSystemEntries(directory).Select(entry => System.IO.Path.GetFileName(entry)).Order(StringComparer.Ordinal)
        : [];
}
