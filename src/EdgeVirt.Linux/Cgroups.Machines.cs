using System.Globalization;

namespace EdgeVirt.Linux;

/// <summary>Limits that only some groups have: processors and huge pages.</summary>
public sealed partial class Cgroups
{
    /// <summary>Whether the memory controller counts huge pages (mount option <c>memory_hugetlb_accounting</c> of version 2).</summary>
    public bool CountsHugePages => Layout == CgroupLayout.Unified && File.ReadLines("/proc/self/mountinfo")
        .Any(line => line.Contains(" - cgroup2 ", StringComparison.Ordinal) && line.Contains("memory_hugetlb_accounting", StringComparison.Ordinal));

    /// <summary>
    /// Lets a process of a group that <see cref="Make"/> made, and all that it starts, run on some processors alone. The affinities that its threads have may be lost by that.
    /// </summary>
    /// <param name="pid">The process.</param>
    /// <param name="path">Below the root.</param>
    /// <param name="cpus">Numbers, see <see cref="CpuList"/>.</param>
    /// <returns>False: there is no such controller, or it refused.</returns>
    public bool Confine(int pid, string path, string cpus)
    {
        if (Layout == CgroupLayout.Unified)
        {
            TurnOn("cpuset", path);
            return TryWrite(At("", path, "cpuset.cpus"), cpus);
        }

        const string Hierarchy = "cpuset";
        if (!HasController(Hierarchy))
        {
            return false;
        }

        // A group of version 1 begins with no processors and no memory at all.
        var parent = Path.Combine(root, Hierarchy);
        foreach (var part in path.Split('/', StringSplitOptions.RemoveEmptyEntries))
        {
            var group = Path.Combine(parent, part);
            Directory.CreateDirectory(group);
            foreach (var file in (string[])["cpuset.mems", "cpuset.cpus"])
            {
                if (string.IsNullOrWhiteSpace(File.ReadAllText(Path.Combine(group, file))))
                {
                    TryWrite(Path.Combine(group, file), File.ReadAllText(Path.Combine(parent, file)).Trim());
                }
            }

            parent = group;
        }

        return TryWrite(Path.Combine(parent, "cpuset.cpus"), cpus) && TryWrite(Path.Combine(parent, "cgroup.procs"), pid.ToString(CultureInfo.InvariantCulture));
    }

    /// <summary>Limits the huge pages of a group that <see cref="Make"/> made. Version 2 alone, or where version 1 has made the group in its hierarchy.</summary>
    /// <param name="path">Below the root.</param>
    /// <param name="pageBytes">Their size.</param>
    /// <param name="bytes">Of all of them.</param>
    /// <returns>False: there is no such controller.</returns>
    public bool LimitHugePages(string path, long pageBytes, long bytes)
    {
        var size = pageBytes >= 1 << 30 ? $"{(pageBytes >> 30).ToString(CultureInfo.InvariantCulture)}GB" : $"{(pageBytes >> 20).ToString(CultureInfo.InvariantCulture)}MB";
        if (Layout == CgroupLayout.Unified)
        {
            TurnOn("hugetlb", path);
            return TryWrite(At("", path, $"hugetlb.{size}.max"), bytes);
        }

        return TryWrite(At("hugetlb", path, $"hugetlb.{size}.limit_in_bytes"), bytes);
    }

    // For a group, from the root down to its parent.
    private void TurnOn(string controller, string path)
    {
        var parent = root;
        foreach (var part in path.Split('/', StringSplitOptions.RemoveEmptyEntries))
        {
            TryWrite(Path.Combine(parent, "cgroup.subtree_control"), "+" + controller);
            parent = Path.Combine(parent, part);
        }
    }

    private static bool TryWrite(string file, string value)
    {
        try
        {
            if (!File.Exists(file))
            {
                return false;
            }

            File.WriteAllText(file, value);
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }
}
