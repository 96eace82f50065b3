namespace EdgeVirt.Cli.Flash;

/// <summary>What mounts, swaps and devices made of others say of each disk's use. Read once.</summary>
internal sealed class LinuxDiskUses
{
    private static readonly string[] SystemPlaces = ["/", "/usr", "/etc", "/var", "/boot", "/boot/efi", "/boot/firmware", "/boot/esp", "/efi", "/home"];
    private readonly string sys;

    // The kernel's name of a disk or partition → where it is mounted, or what is made of it.
    private readonly Dictionary<string, List<string>> mounted = new(StringComparer.Ordinal);
    private readonly HashSet<string> swaps = new(StringComparer.Ordinal);

    public LinuxDiskUses(string sys, string proc)
    {
        this.sys = sys;
        foreach (var line in Lines(Path.Combine(proc, "self/mountinfo")))
        {
            // 36 35 98:0 /root /mnt rw,noatime master:1 - ext3 /dev/root rw (proc(5)); btrfs has numbers that no disk has, but names it.
            var fields = line.Split(' ');
            var dash = Array.IndexOf(fields, "-");
            if (dash > 4 && dash + 2 < fields.Length)
            {
                foreach (var name in new[] { NameOf(fields[2]), BaseName(fields[dash + 2]) }.OfType<string>().Distinct())
                {
                    Add(name, fields[4].Replace("\\040", " ", StringComparison.Ordinal));
                }
            }
        }

        foreach (var swap in Lines(Path.Combine(proc, "swaps")).Skip(1).Select(line => BaseName(line.Split(' ')[0])).OfType<string>())
        {
            swaps.Add(swap);
        }
    }

    /// <summary>How a whole disk is used: itself, its partitions, and what is made of them.</summary>
    public (DiskUse Use, IReadOnlyList<string> UsedFor) Of(string disk)
    {
        var places = new List<string>();
        var isHeld = false;
        var isSystem = false;
        foreach (var name in Family(disk, []))
        {
            places.AddRange(mounted.GetValueOrDefault(name, []));
            isSystem |= swaps.Contains(name);
            isHeld |= !name.StartsWith(disk, StringComparison.Ordinal);
            if (swaps.Contains(name))
            {
                places.Add("swap");
            }
            else if (!name.StartsWith(disk, StringComparison.Ordinal))
            {
                places.Add($"part of {name}");
            }
        }

        isSystem |= places.Any(SystemPlaces.Contains);
        return (isSystem ? DiskUse.System : isHeld || places.Count > 0 ? DiskUse.Mounted : DiskUse.Free, [.. places.Distinct()]);
    }

    // Partitions lie in the directory of their disk; holders/ has links to devices that are made of it (LUKS, LVM, RAID).
    private IEnumerable<string> Family(string disk, HashSet<string> seen)
    {
        if (!seen.Add(disk))
        {
            yield break;
        }

        yield return disk;
        var directory = Path.Combine(sys, "block", disk);
        if (!Directory.Exists(directory))
        {
            yield break;
        }

        var partitions = Directory.EnumerateDirectories(directory).Where(part => File.Exists(Path.Combine(part, "partition"))).ToList();
        foreach (var place in partitions.Append(directory))
        {
            if (place != directory)
            {
                yield return Path.GetFileName(place);
            }

            var holders = Path.Combine(place, "holders");
            foreach (var holder in Directory.Exists(holders) ? Directory.EnumerateFileSystemEntries(holders) : [])
            {
                foreach (var name in Family(Path.GetFileName(holder), seen))
                {
                    yield return name;
                }
            }
        }
    }

    private void Add(string name, string place)
    {
        if (!mounted.TryGetValue(name, out var places))
        {
            mounted[name] = places = [];
        }

        places.Add(place);
    }

    private string? NameOf(string number)
    {
        var link = Path.Combine(sys, "dev/block", number);
        return Directory.Exists(link) ? Path.GetFileName(new DirectoryInfo(link).ResolveLinkTarget(returnFinalTarget: true)?.FullName ?? link) : null;
    }

    // Also /dev/disk/by-uuid/… and /dev/mapper/…, which are links.
    private static string? BaseName(string path)
    {
        if (!path.StartsWith("/dev/", StringComparison.Ordinal))
        {
            return null;
        }

        try
        {
            return Path.GetFileName(File.ResolveLinkTarget(path, returnFinalTarget: true)?.FullName ?? path);
        }
        catch (IOException)
        {
            return Path.GetFileName(path);
        }
    }

    private static string[] Lines(string path) => File.Exists(path) ? File.ReadAllLines(path) : [];
}
