using System.Globalization;

namespace EdgeVirt.Node.VirtualMachines.Devices;

/// <summary>What a node has of a device that it cannot do without.</summary>
internal sealed class NodeUse(HostRoots roots)
{
    // Deeper than any disk or card lies below its controller.
    private const int MostDepth = 9;

    /// <summary>What it is used for; null: nothing that is known.</summary>
    /// <param name="device">Its directory in sysfs.</param>
    public string? Of(string device)
    {
        foreach (var (kind, path) in Below(device, 0))
        {
            var name = Path.GetFileName(path);
            if (kind == "net" && IsUp(path))
            {
                return $"the network interface {name}, which is up; set it down and take it out of the node's network first";
            }

            if (kind == "block" && UsedAs(path) is { } used)
            {
                return $"what the disk {name} hangs on, which is {used}; unmount it first";
            }
        }

        return null;
    }

    // What lies in directories called net and block, however deep.
    private static IEnumerable<(string Kind, string Path)> Below(string directory, int depth)
    {
        if (depth > MostDepth)
        {
            yield break;
        }

        foreach (var child in Directory.EnumerateDirectories(directory).Where(child => new DirectoryInfo(child).LinkTarget is null))
        {
            if (Path.GetFileName(child) is "net" or "block")
            {
                foreach (var entry in Directory.EnumerateDirectories(child))
                {
                    yield return (Path.GetFileName(child), entry);
                }
            }
            // nvme0n1 lies directly below its controller.
            else if (File.Exists(Path.Combine(child, "dev")) && File.Exists(Path.Combine(child, "size")) && Directory.Exists(Path.Combine(child, "queue")))
            {
                yield return ("block", child);
            }
            else
            {
                foreach (var found in Below(child, depth + 1))
                {
                    yield return found;
                }
            }
        }
    }

    // IFF_UP of netdevice(7).
    private static bool IsUp(string card) =>
        File.Exists(Path.Combine(card, "flags")) && File.ReadAllText(Path.Combine(card, "flags")).Trim() is ['0', 'x', .. var digits] &&
        (uint.Parse(digits, NumberStyles.HexNumber, CultureInfo.InvariantCulture) & 1) == 1;

    private string? UsedAs(string disk)
    {
        string[] parts = [disk, .. Directory.EnumerateDirectories(disk).Where(part => File.Exists(Path.Combine(part, "partition")))];
        foreach (var part in parts)
        {
            var number = File.ReadAllText(Path.Combine(part, "dev")).Trim();
            // Fields 3 and 5 of proc(5), mountinfo: device and mount point.
            if (Lines("self/mountinfo").Select(line => line.Split(' ')).FirstOrDefault(fields => fields.Length > 4 && fields[2] == number) is { } mounted)
            {
                return $"mounted at {mounted[4]}";
            }

            if (Lines("swaps").Any(line => line.Split(' ', '\t')[0] == $"/dev/{Path.GetFileName(part)}"))
            {
                return "swap space";
            }

            if (Path.Combine(part, "holders") is var holders && Directory.Exists(holders) && Directory.EnumerateFileSystemEntries(holders).Select(entry => Path.GetFileName(entry)).FirstOrDefault() is { } holder)
            {
                return $"a part of {holder}";
            }
        }

        return null;
    }

    private IEnumerable<string> Lines(string file) => Path.Combine(roots.Proc, file) is var path && File.Exists(path) ? File.ReadLines(path) : [];
}
