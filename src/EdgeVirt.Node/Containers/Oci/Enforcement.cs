using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Node.Containers.Oci;

/// <summary>
/// What of a workload's resources this node can enforce. The words are control group controllers and, where a controller does not
/// say it all, files and capabilities; those that are missing here are listed by the runtime (<see cref="IContainerRuntime.MissingControllers"/>).
/// </summary>
internal static class Enforcement
{
    public const string Cpu = "cpu";
    public const string Memory = "memory";
    public const string Pids = "pids";
    public const string CpuSet = "cpuset";
    public const string HugePages = "hugetlb";
    public const string MemoryHigh = "memory.high";
    public const string IoWeight = "io.weight";
    public const string IoMax = "io.max";

    /// <summary>RLIMIT_RTPRIO can be raised.</summary>
    public const string Realtime = "rtprio";

    /// <summary>The kernel gives groups real-time shares.</summary>
    public const string RealtimeGroups = "cpu.rt";

    /// <summary>The order in which processes are ended for want of memory.</summary>
    public const string OutOfMemoryOrder = "oom";

    /// <summary>The condition LimitsEnforced of a workload.</summary>
    /// <param name="template">What it asks for.</param>
    /// <param name="missing">What cannot be enforced here.</param>
    /// <param name="maxRealtimePriority">What the node's options allow.</param>
    public static Condition ConditionOf(PodSpec template, IReadOnlyList<string> missing, int maxRealtimePriority)
    {
        var resources = template.AllContainers().Select(container => container.Resources).Where(asked => asked is not null).ToList();
        var missed = new[]
        {
            (Cpu, resources.Exists(asks => asks.CpuRequest() is not null)),
            (Memory, resources.Exists(asks => asks.MemoryRequest() is not null)),
            (Pids, resources.Exists(asks => asks!.Limits?.Pids is not null)),
        }.Where(pair => pair.Item2 && missing.Contains(pair.Item1)).Select(pair => pair.Item1).ToList();
        if (missed.Count > 0)
        {
            return NotEnforced(
                LimitsEnforcedReasons.ControllerMissing,
                $"limits and requests of {string.Join(" and ", missed)} have no effect: the node's kernel does not offer that control group controller");
        }

        (string Need, string Field, bool Asked)[] more =
        [
            (CpuSet, "resources.cpus", resources.Exists(asks => asks!.Cpus is not null)),
            (MemoryHigh, "resources.memoryHigh", resources.Exists(asks => asks!.MemoryHigh is not null)),
            (IoWeight, "resources.blockIO.weight", resources.Exists(asks => asks!.BlockIO?.Weight is not null)),
            (IoMax, "the rates of resources.blockIO", resources.Exists(asks => asks!.BlockIO is { HasLimit: true })),
            (HugePages, "resources.limits of huge pages", resources.Exists(asks => asks!.Limits is { Hugepages2Mi: not null } or { Hugepages1Gi: not null })),
            (RealtimeGroups, "resources.realtime.realtimeRuntime", resources.Exists(asks => asks!.Realtime is { RealtimeRuntime: not null } or { RealtimePeriod: not null })),
        ];
        var fields = more.Where(entry => entry.Asked && missing.Contains(entry.Need)).ToList();
        if (fields.Count > 0)
        {
            return NotEnforced(
                LimitsEnforcedReasons.ControllerMissing,
                $"{string.Join(" and ", fields.Select(entry => entry.Field))} have no effect: the node's kernel or its version of control groups does not offer {string.Join(" and ", fields.Select(entry => entry.Need))}");
        }

        return RealtimeProblem(resources, missing, maxRealtimePriority) ??
            (missing.Contains(OutOfMemoryOrder) && QosClasses.Of(template) == QosClass.Guaranteed
                ? NotEnforced(
                    LimitsEnforcedReasons.CapabilityMissing,
                    "its class Guaranteed does not make it the last to be ended for want of memory: the agent has no CAP_SYS_RESOURCE; its limits do hold")
                : new Condition { Type = ConditionTypes.LimitsEnforced, Status = ConditionStatus.True, Reason = LimitsEnforcedReasons.Enforced });
    }

    private static Condition? RealtimeProblem(List<ResourceRequirements?> resources, IReadOnlyList<string> missing, int most)
    {
        var asked = resources.Max(asks => asks!.Realtime?.Priority) ?? 0;
        return asked == 0 ? null
            : asked > most ? NotEnforced(
                LimitsEnforcedReasons.NotAllowed,
                $"resources.realtime has no effect: priority {asked} is more than the {most} that this node allows; set maxRealtimePriority in its agent.json")
            : missing.Contains(Realtime) ? NotEnforced(
                LimitsEnforcedReasons.CapabilityMissing, "resources.realtime has no effect: the agent has no CAP_SYS_RESOURCE to give real-time priority")
            : null;
    }

    private static Condition NotEnforced(string reason, string message) =>
        new() { Type = ConditionTypes.LimitsEnforced, Status = ConditionStatus.False, Reason = reason, Message = message };
}
