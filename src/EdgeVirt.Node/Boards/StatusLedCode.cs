using EdgeVirt.Contracts.Api;
using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Node.Boards;

/// <summary>What the board's light says; docs/technician.md has the table.</summary>
internal enum StatusLedCode
{
    /// <summary>The agent looks at what is there.</summary>
    Starting,

    /// <summary>No hub, or one that refuses the node.</summary>
    NotEnrolled,

    /// <summary>Storage or a workload fails.</summary>
    Fault,

    /// <summary>Something new is fetched or takes over: not the moment to cut the power.</summary>
    Updating,

    /// <summary>No way to the hub.</summary>
    HubUnreachable,

    /// <summary>All is well.</summary>
    Working,
}

/// <summary>Chooses the code.</summary>
internal static class StatusLedCodes
{
    // On the way to Ready, or meant to be as they are.
    private static readonly HashSet<string> Harmless =
    [
        "", ReadyReasons.Ready, ReadyReasons.Completed, ReadyReasons.Pending, ReadyReasons.WaitingForWorkload, ReadyReasons.Initializing, ReadyReasons.Starting,
        ReadyReasons.Stopped, ReadyReasons.Paused, ReadyReasons.Stopping, ReadyReasons.Superseded,
    ];

    private static readonly HashSet<string> Underway = [ReadyReasons.ImagePulling, ReadyReasons.Staging, ReadyReasons.Switching];

    /// <summary>The first that holds, in the order of the codes.</summary>
    /// <param name="summary">How the node is.</param>
    /// <param name="isStarted">Whether every reconciler has run once.</param>
    public static StatusLedCode Of(LocalSummary summary, bool isStarted)
    {
        var instances = summary.Workloads.Concat(summary.VirtualMachines).Where(one => !one.IsReady).ToList();
        var conditions = summary.Status.Conditions;
        return !isStarted ? StatusLedCode.Starting
            : summary.Node is null || Is(ConditionTypes.Enrolled, ConditionStatus.False) ? StatusLedCode.NotEnrolled
            : Is(ConditionTypes.StorageHealthy, ConditionStatus.False) || Is(ConditionTypes.DiskPressure, ConditionStatus.True)
                || instances.Any(one => !Harmless.Contains(one.State) && !Underway.Contains(one.State)) ? StatusLedCode.Fault
            : instances.Any(one => Underway.Contains(one.State)) ? StatusLedCode.Updating
            : summary.HubConnectedSince is null ? StatusLedCode.HubUnreachable
            : StatusLedCode.Working;

        bool Is(string type, ConditionStatus status) => conditions.Any(condition => condition.Type == type && condition.Status == status);
    }
}
