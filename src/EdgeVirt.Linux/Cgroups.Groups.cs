using System.Globalization;

namespace EdgeVirt.Linux;

/// <summary>Groups that this process makes itself, without a container runtime.</summary>
public sealed partial class Cgroups
{
    private const int CpuPeriodMicroseconds = 100_000;

    // What counts and limits a process, and where a service manager would look for it.
    private static readonly string[] LegacyHierarchies = ["cpu", "cpuacct", "memory", "pids", "systemd", "unified"];

    /// <summary>Makes a group whose CPU, memory and number of processes are counted and can be limited. One that is there already is no failure.</summary>
    /// <param name="path">Below the root.</param>
    /// <exception cref="IOException">The kernel refused.</exception>
    /// <exception cref="UnauthorizedAccessException">Not ours to make.</exception>
    public void Make(string path)
    {
        if (Layout != CgroupLayout.Unified)
        {
            foreach (var hierarchy in Hierarchies())
            {
                Directory.CreateDirectory(Path.Combine(hierarchy, path.TrimStart('/')));
            }

            return;
        }

        var parent = root;
        foreach (var part in path.Split('/', StringSplitOptions.RemoveEmptyEntries))
        {
            // One by one: a kernel may lack one of them.
            foreach (var controller in (string[])["cpu", "memory", "pids"])
            {
                try
                {
                    File.WriteAllText(Path.Combine(parent, "cgroup.subtree_control"), "+" + controller);
                }
                catch (Exception e) when (e is IOException or UnauthorizedAccessException)
                {
                    // Whoever sets a limit finds that there is none.
                }
            }

            parent = Path.Combine(parent, part);
            Directory.CreateDirectory(parent);
        }
    }

    /// <summary>Moves a process with all its threads into a group that <see cref="Make"/> made, in either layout.</summary>
    /// <returns>False: it is gone, or nowhere could it be moved.</returns>
    public bool Enter(int pid, string path)
    {
        if (Layout == CgroupLayout.Unified)
        {
            return Place(pid, path);
        }

        var entered = false;
        foreach (var hierarchy in Hierarchies())
        {
            try
            {
                File.WriteAllText(Path.Combine(hierarchy, path.TrimStart('/'), "cgroup.procs"), pid.ToString(CultureInfo.InvariantCulture));
                entered = true;
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // Another hierarchy may take it.
            }
        }

        return entered;
    }

    /// <summary>Limits the CPU time of a group.</summary>
    /// <param name="path">Below the root.</param>
    /// <param name="cores">In CPUs, e.g. 0.5; null: no limit.</param>
    /// <returns>False: there is no such group, or no such controller.</returns>
    public bool LimitCpu(string path, decimal? cores)
    {
        // The kernel takes no quota below a millisecond.
        long? quota = cores is { } some ? Math.Max((long)(some * CpuPeriodMicroseconds), 1000) : null;
        if (Layout != CgroupLayout.Unified)
        {
            return TryWrite(At("cpu", path, "cpu.cfs_period_us"), CpuPeriodMicroseconds) && TryWrite(At("cpu", path, "cpu.cfs_quota_us"), quota ?? -1);
        }

        var file = At("", path, "cpu.max");
        try
        {
            if (File.Exists(file))
            {
                File.WriteAllText(file, string.Create(CultureInfo.InvariantCulture, $"{quota?.ToString(CultureInfo.InvariantCulture) ?? "max"} {CpuPeriodMicroseconds}"));
                return true;
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // As if there were none.
        }

        return false;
    }

    private IEnumerable<string> Hierarchies() => LegacyHierarchies.Select(name => Path.Combine(root, name)).Where(Directory.Exists);
}
