using System.Globalization;

namespace EdgeVirt.Linux;

/// <summary>How the kernel's control groups are mounted.</summary>
public enum CgroupLayout
{
    /// <summary>One hierarchy, version 2.</summary>
    Unified,

    /// <summary>A hierarchy per controller, version 1, perhaps with a version 2 hierarchy beside them.</summary>
    Legacy,
}

/// <summary>Consumption of a control group.</summary>
/// <param name="CpuSeconds">CPU time since it began.</param>
/// <param name="MemoryBytes">Memory in use, without the page cache that can be dropped at once.</param>
public sealed record CgroupUsage(double CpuSeconds, long MemoryBytes);

/// <summary>Reads control groups by their path below the root, in either layout.</summary>
/// <param name="root">The mount point; elsewhere than /sys/fs/cgroup only in tests.</param>
public sealed partial class Cgroups(string root = "/sys/fs/cgroup")
{
    /// <summary>The layout in use.</summary>
    public CgroupLayout Layout { get; } = File.Exists(Path.Combine(root, "cgroup.controllers")) ? CgroupLayout.Unified : CgroupLayout.Legacy;

    /// <summary>Whether limits of a controller (<c>cpu</c>, <c>memory</c>, <c>pids</c>) can be set.</summary>
    public bool HasController(string controller)
    {
        if (Layout == CgroupLayout.Unified)
        {
            return File.ReadAllText(Path.Combine(root, "cgroup.controllers")).Split((char[])[' ', '\n']).Contains(controller);
        }

        var probe = controller switch
        {
            "cpu" => "cpu.cfs_quota_us",
            "memory" => "memory.limit_in_bytes",
            // The root group has no pids.max.
            _ => "tasks",
        };
        return File.Exists(Path.Combine(root, controller, probe));
    }

    /// <summary>
    /// Whether groups have a file, e.g. <c>io.weight</c>: kernels are built without parts of a controller. Version 2: the
    /// controller is turned on for the groups at the root, as the container runtime does it.
    /// </summary>
    /// <param name="controller">To which it belongs; in version 1 the hierarchy's name.</param>
    /// <param name="file">The file.</param>
    public bool HasFile(string controller, string file)
    {
        if (Layout != CgroupLayout.Unified)
        {
            return File.Exists(Path.Combine(root, controller, file));
        }

        if (!HasController(controller))
        {
            return false;
        }

        try
        {
            // The root itself has no such files.
            File.WriteAllText(Path.Combine(root, "cgroup.subtree_control"), "+" + controller);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // It may be on already.
        }

        return Directory.EnumerateDirectories(root).Any(group => File.Exists(Path.Combine(group, file)));
    }

    /// <summary>What a group uses; null: there is no such group.</summary>
    /// <param name="path">Below the root, e.g. <c>/edgevirt/web-1</c>.</param>
    public CgroupUsage? Usage(string path)
    {
        try
        {
            if (Layout == CgroupLayout.Unified)
            {
                var micros = Field(At("", path, "cpu.stat"), "usage_usec");
                var used = Number(At("", path, "memory.current"));
                var droppable = Field(At("", path, "memory.stat"), "inactive_file");
                return micros is null && used is null ? null : new CgroupUsage((micros ?? 0) / 1e6, Math.Max(0, (used ?? 0) - (droppable ?? 0)));
            }

            var nanos = Number(At("cpuacct", path, "cpuacct.usage"));
            var bytes = Number(At("memory", path, "memory.usage_in_bytes"));
            var inactive = Field(At("memory", path, "memory.stat"), "total_inactive_file");
            return nanos is null && bytes is null ? null : new CgroupUsage((nanos ?? 0) / 1e9, Math.Max(0, (bytes ?? 0) - (inactive ?? 0)));
        }
        catch (IOException)
        {
            // The group went away between two reads (ENODEV).
            return null;
        }
    }

    /// <summary>How many processes of a group the kernel killed for want of memory; 0 also where it cannot be told.</summary>
    public long OutOfMemoryKills(string path)
    {
        try
        {
            return Layout == CgroupLayout.Unified
                ? Field(At("", path, "memory.events"), "oom_kill") ?? 0
                : Field(At("memory", path, "memory.oom_control"), "oom_kill") ?? 0;
        }
        catch (IOException)
        {
            return 0;
        }
    }

    /// <summary>How often a group was refused a process for its limit; 0 also where it cannot be told.</summary>
    public long RefusedProcesses(string path)
    {
        try
        {
            return Field(At(Layout == CgroupLayout.Unified ? "" : "pids", path, "pids.events"), "max") ?? 0;
        }
        catch (IOException)
        {
            return 0;
        }
    }

    /// <summary>Process ids in a group, in one hierarchy that holds all of them; empty: no such group.</summary>
    public IReadOnlyList<int> Processes(string path)
    {
        var file = Layout == CgroupLayout.Unified ? At("", path, "cgroup.procs") : At("pids", path, "cgroup.procs");
        try
        {
            return File.Exists(file) ? [.. File.ReadLines(file).Select(line => int.Parse(line, CultureInfo.InvariantCulture))] : [];
        }
        catch (IOException)
        {
            return [];
        }
    }

    /// <summary>
    /// Moves a process into a group, which is made if need be. Only where there is one hierarchy; elsewhere it stays where
    /// it began.
    /// </summary>
    /// <returns>False: it stays, or it is gone.</returns>
    public bool Place(int pid, string path)
    {
        if (Layout != CgroupLayout.Unified)
        {
            return false;
        }

        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(At("", path, "cgroup.procs"))!);
            File.WriteAllText(At("", path, "cgroup.procs"), pid.ToString(CultureInfo.InvariantCulture));
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    /// <summary>
    /// Keeps memory for a group: the kernel does not take it away for others (version 2, <c>memory.min</c>), or takes it last
    /// (version 1, <c>memory.soft_limit_in_bytes</c>).
    /// </summary>
    /// <returns>False: there is no such group, or no such controller.</returns>
    public bool KeepMemory(string path, long bytes) => Layout == CgroupLayout.Unified
        ? TryWrite(At("", path, "memory.min"), bytes)
        : TryWrite(At("memory", path, "memory.soft_limit_in_bytes"), bytes);

    /// <summary>
    /// Keeps for a group what is kept for the groups in it together: in version 2 a group's memory is safe only as far as
    /// its parent's is. Nothing to do in version 1.
    /// </summary>
    public void KeepMemoryOfChildren(string path)
    {
        var directory = Path.GetDirectoryName(At("", path, "memory.min"))!;
        if (Layout == CgroupLayout.Unified && Directory.Exists(directory))
        {
            TryWrite(Path.Combine(directory, "memory.min"), Directory.EnumerateDirectories(directory).Sum(child => Number(Path.Combine(child, "memory.min")) ?? 0));
        }
    }

    /// <summary>Lets a group have no swap, so that its memory limit is all that it gets. Version 2 alone.</summary>
    /// <returns>False: there is no such group, or swap is not accounted for.</returns>
    public bool ForbidSwap(string path) => Layout == CgroupLayout.Unified && TryWrite(At("", path, "memory.swap.max"), 0);

    /// <summary>Limits the memory of a group and all groups in it, bytes.</summary>
    /// <returns>False: there is no such group, or no such controller.</returns>
    public bool LimitMemory(string path, long bytes) =>
        TryWrite(Layout == CgroupLayout.Unified ? At("", path, "memory.max") : At("memory", path, "memory.limit_in_bytes"), bytes);

    /// <summary>
    /// Lets groups below a group have real-time shares; it is made if need be. Version 1 alone: there a group without a share of
    /// its own has none to give, and a new one begins with none.
    /// </summary>
    /// <param name="path">The group; its parent has as much.</param>
    /// <param name="microseconds">Of each period of the kernel's, a second.</param>
    /// <returns>False: the kernel has no such shares, or its parent has less.</returns>
    public bool ShareRealtime(string path, long microseconds)
    {
        if (Layout == CgroupLayout.Unified || !HasFile("cpu", "cpu.rt_runtime_us"))
        {
            return false;
        }

        var file = At("cpu", path, "cpu.rt_runtime_us");
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        return Number(file) >= microseconds || TryWrite(file, microseconds);
    }

    /// <summary>Removes an empty group in every hierarchy; one that is not there or not empty is left.</summary>
    /// <returns>False: some of it is left. A process that has just ended can be in it for a moment yet.</returns>
    public bool Remove(string path)
    {
        var isGone = true;
        var below = path.TrimStart('/');
        IEnumerable<string> hierarchies = Layout == CgroupLayout.Unified ? [root] : Directory.EnumerateDirectories(root);
        foreach (var directory in hierarchies.Select(hierarchy => Path.Combine(hierarchy, below)).Where(Directory.Exists))
        {
            try
            {
                Directory.Delete(directory);
            }
            catch (IOException)
            {
                // Still in use: whoever removes the last process comes back.
                isGone = false;
            }
        }

        return isGone;
    }

    private string At(string controller, string path, string file) => Path.Combine(root, controller, path.TrimStart('/'), file);

    private static bool TryWrite(string file, long value)
    {
        try
        {
            if (!File.Exists(file))
            {
                return false;
            }

            File.WriteAllText(file, value.ToString(CultureInfo.InvariantCulture));
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    private static long? Number(string file) =>
        File.Exists(file) && long.TryParse(File.ReadAllText(file), CultureInfo.InvariantCulture, out var value) ? value : null;

    private static long? Field(string file, string key)
    {
        if (!File.Exists(file))
        {
            return null;
        }

        foreach (var line in File.ReadLines(file))
        {
            if (line.StartsWith(key, StringComparison.Ordinal) && line.Length > key.Length && line[key.Length] == ' ')
            {
                return long.Parse(line.AsSpan(key.Length + 1), CultureInfo.InvariantCulture);
            }
        }

        return null;
    }
}
