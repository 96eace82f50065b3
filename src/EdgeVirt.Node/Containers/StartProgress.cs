using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Node.Containers;

/// <summary>How far a workload has come, for those that start after it.</summary>
internal sealed record StartProgress
{
    /// <summary>It is wanted, and nothing of what is to run now has begun.</summary>
    public static StartProgress Nothing { get; } = new();

    /// <summary>Of the target that it is to be now; null: that is not there yet.</summary>
    public string? Hash { get; init; }

    /// <summary>As <see cref="StartCondition.Started"/>.</summary>
    public bool IsStarted { get; init; }

    public bool IsReady { get; init; }

    /// <summary>Of the condition Ready.</summary>
    public string? Reason { get; init; }

    public bool Has(StartCondition condition) => condition switch
    {
        StartCondition.Started => IsStarted,
        StartCondition.Completed => Reason == ReadyReasons.Completed,
        _ => IsReady,
    };

    /// <param name="target">What runs, and is to run.</param>
    /// <param name="view">What it has on the node, for that very target.</param>
    /// <param name="ready">What is reported of it.</param>
    public static StartProgress Of(WorkloadTarget target, WorkloadView view, Condition ready) => new()
    {
        Hash = target.Hash,
        IsStarted = target.Template.Containers.All(container => HasBegun(container.Name, target.Template.RestartPolicy, view)),
        IsReady = ready.Status == ConditionStatus.True,
        Reason = ready.Reason,
    };

    // After a boot of the node only what ended for good counts of the runs before it.
    private static bool HasBegun(string name, RestartPolicy policy, WorkloadView view)
    {
        var runs = view.Containers.Where(run => run.Container == name).OrderByDescending(run => run.Attempt).ToList();
        return runs is [{ Exit: { } exit }, ..] && !WorkloadPlan.Restarts(policy, exit)
            ? true
            : view.SandboxUsable && runs.Exists(run => run is { StartedAt: not null, PostStart: null } && run.SandboxAttempt == view.Sandbox!.Attempt);
    }
}
