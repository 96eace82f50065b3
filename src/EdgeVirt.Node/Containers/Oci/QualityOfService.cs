using EdgeVirt.Contracts.Resources;
using EdgeVirt.Linux;
using EdgeVirt.Linux.Storage;

namespace EdgeVirt.Node.Containers.Oci;

/// <summary>
/// Who suffers when memory runs short: never the agent, which keeps a part of the node for itself and the system; of the
/// containers those that asked for nothing first. What the runtime's config has no version-independent word for is written here.
/// </summary>
internal sealed class QualityOfService(NodeDirectories directories, NodeOptions options, Cgroups cgroups)
{
    private const int MostAdjustment = 1000;

    // Of the 950,000 that the kernel gives real-time processes by default.
    private const long RealtimeShare = 900_000;
    private readonly long memory = SystemFacts.MemoryBytes;

    private readonly Lazy<DeviceNumber?> disk = new(() => BlockDevices.DiskOf(options.DataDir));

    /// <summary>Where containers are counted and limited.</summary>
    public Cgroups Cgroups => cgroups;

    /// <summary>The disk below the data partition; null: none that could be limited.</summary>
    public DeviceNumber? Disk => disk.Value;

    /// <summary>Highest real-time priority that containers may be given; 0: none.</summary>
    public int MaxRealtimePriority => options.MaxRealtimePriority;

    /// <summary>What cannot be enforced here, in the words of <see cref="Enforcement"/>.</summary>
    public IReadOnlyList<string> MissingHere()
    {
        var isUnified = cgroups.Layout == CgroupLayout.Unified;
        var io = isUnified ? ("io", "io.max") : ("blkio", "blkio.throttle.read_bps_device");
        (string Word, bool IsThere)[] all =
        [
            (Enforcement.Cpu, cgroups.HasController("cpu")),
            (Enforcement.Memory, cgroups.HasController("memory")),
            (Enforcement.Pids, cgroups.HasController("pids")),
            (Enforcement.CpuSet, cgroups.HasController("cpuset")),
            (Enforcement.HugePages, cgroups.HasController("hugetlb")),
            (Enforcement.MemoryHigh, isUnified && cgroups.HasFile("memory", "memory.high")),
            (Enforcement.IoWeight, isUnified && cgroups.HasFile("io", "io.weight")),
            (Enforcement.IoMax, Disk is not null && cgroups.HasFile(io.Item1, io.Item2)),
            (Enforcement.RealtimeGroups, !isUnified && cgroups.HasFile("cpu", "cpu.rt_runtime_us")),
            (Enforcement.Realtime, CanLowerOomScore),
            (Enforcement.OutOfMemoryOrder, CanLowerOomScore),
        ];
        return [.. all.Where(entry => !entry.IsThere).Select(entry => entry.Word)];
    }

    /// <summary>
    /// What the kernel adds to a process's badness (proc(5), oom_score_adj), by Kubernetes' rule: Guaranteed -997, BestEffort
    /// 1000, Burstable in between by the share of the node's memory that it asked for.
    /// </summary>
    public static int OomScoreAdjustmentOf(QosClass qos, ResourceRequirements? resources, long memoryBytes) => qos switch
    {
        QosClass.Guaranteed => -997,
        QosClass.BestEffort => MostAdjustment,
        _ => (int)Math.Clamp(MostAdjustment - (MostAdjustment * (resources.MemoryRequest()?.Value ?? 0) / Math.Max(memoryBytes, 1)), 3, MostAdjustment - 1),
    };

    /// <summary>Weight of CPU, 1024 for one CPU, as Kubernetes gives it; the runtime turns it into what the kernel's control groups take.</summary>
    public static ulong CpuSharesOf(ResourceRequirements? resources) => (ulong)Math.Clamp((resources.CpuRequest()?.Value ?? 0) * 1024, 2, 262_144);

    /// <summary>Whether the agent may put a process behind itself in the order in which the kernel ends processes.</summary>
    public static bool CanLowerOomScore { get; } = Processes.HasCapability(Processes.CapSysResource);

    /// <summary>To be called before a container is made: what has to be there for its groups.</summary>
    public void Prepare(ContainerStart start)
    {
        if (start.Spec.Resources?.Realtime?.RealtimeRuntime is not null && MaxRealtimePriority > 0)
        {
            cgroups.ShareRealtime(Path.GetDirectoryName(directories.CgroupParent)!, RealtimeShare);
            cgroups.ShareRealtime(directories.CgroupParent, RealtimeShare);
        }
    }

    /// <summary>Puts a container that was made and does not run yet in its place. Its processes inherit what is set here.</summary>
    public void Place(ContainerStart start, int pid)
    {
        var resources = start.Spec.Resources;
        var adjustment = OomScoreAdjustmentOf(QosClasses.Of(start.Target.Template), resources, memory);
        Processes.SetOomScoreAdjustment(pid, CanLowerOomScore ? adjustment : Math.Max(adjustment, Processes.OwnOomScoreAdjustment));
        cgroups.KeepMemory(directories.Cgroup(start.Record.Id), (long)(resources.MemoryRequest()?.Value ?? 0));
        if (resources?.Limits?.Memory is not null)
        {
            cgroups.ForbidSwap(directories.Cgroup(start.Record.Id));
        }

        Settle();
    }

    /// <summary>What holds for all containers together; to be called when one has come or gone.</summary>
    public void Settle()
    {
        cgroups.LimitMemory(directories.CgroupParent, Math.Max(memory - options.SystemReservedBytes, 0));
        cgroups.KeepMemoryOfChildren(directories.CgroupParent);
        cgroups.KeepMemoryOfChildren(Path.GetDirectoryName(directories.CgroupParent)!);
    }
}
