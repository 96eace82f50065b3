using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.Containers.Oci;

namespace EdgeVirt.Node.Containers;

/// <summary>Puts into words what a workload does. Pure.</summary>
internal static class WorkloadReport
{
    /// <param name="target">Null: it is being removed.</param>
    /// <param name="view">What it has on the node.</param>
    /// <param name="problem">What keeps it from going on; null: nothing.</param>
    /// <param name="runtime">Says what is not enforced here.</param>
    /// <param name="before">The last report: gives the node's name and the times of conditions that did not change.</param>
    /// <param name="now">Now.</param>
    public static WorkloadInstanceStatus Make(
        WorkloadTarget? target,
        WorkloadView view,
        WorkloadProblem? problem,
        IContainerRuntime runtime,
        WorkloadInstanceStatus? before,
        DateTimeOffset now)
    {
        var names = target?.Template.Containers.Select(container => container.Name) ?? view.Containers.Select(container => container.Container).Distinct();
        var containers = names.Select(name => StatusOf(name, target, view, WorkloadPlan.Restarts)).ToList();
        var init = target?.Template.InitContainers?.Select(spec => StatusOf(spec.Name, target, view, (policy, exit) => !WorkloadPlan.EndsInit(policy, exit))).ToList();
        List<Condition> conditions = [ReadyOf(target, view, init ?? [], containers, problem)];
        if (target is not null)
        {
            conditions.Add(Enforcement.ConditionOf(target.Template, runtime.MissingControllers, runtime.MaxRealtimePriority));
            if (!runtime.HasSeccomp && target.Template.AllContainers().Any(container => ContainerSecurity.WantsSeccomp(container.SecurityContext, target.Template.SecurityContext)))
            {
                conditions.Add(NoSeccomp);
            }

            if (AppArmor.ConditionOf(target.Template, runtime.HasAppArmor, runtime.DefaultAppArmorProblem) is { } unconfined)
            {
                conditions.Add(unconfined);
            }
        }

        return new WorkloadInstanceStatus
        {
            Node = target?.Node ?? before?.Node ?? "",
            ObservedGeneration = target?.Workload.Generation ?? before?.ObservedGeneration ?? 0,
            Address = view.SandboxUsable ? view.Sandbox?.Address : null,
            InitContainers = init is { Count: > 0 } ? init : null,
            Containers = containers,
            Conditions = [.. conditions.Select(condition => Dated(condition, before, now))],
        };
    }

    /// <summary>With the time since when its status is what it is.</summary>
    public static Condition Dated(Condition condition, WorkloadInstanceStatus? before, DateTimeOffset now) => condition with
    {
        LastTransitionTime = before?.Conditions.FirstOrDefault(old => old.Type == condition.Type && old.Status == condition.Status)?.LastTransitionTime ?? now,
    };

    private static ContainerStatus StatusOf(string name, WorkloadTarget? target, WorkloadView view, Func<RestartPolicy, ContainerExit, bool> restarts)
    {
        var runs = view.Containers.Where(container => container.Container == name).OrderByDescending(container => container.Attempt).ToList();
        if (runs.Count == 0)
        {
            return new ContainerStatus { Name = name, State = ContainerState.Waiting };
        }

        var newest = runs[0];
        var ends = newest.Exit is { } exit && (target is null || !restarts(target.Template.RestartPolicy, exit));
        var isRunning = newest is { Exit: null, StartedAt: not null };
        return new ContainerStatus
        {
            Name = name,
            State = ends ? ContainerState.Terminated : isRunning ? ContainerState.Running : ContainerState.Waiting,
            Ready = isRunning && newest is { PostStart: null, StopReason: null } && view.Probed.GetValueOrDefault(newest.Id) is null or { IsReady: true },
            ContainerId = newest.Id,
            ImageDigest = newest.ImageDigest,
            RestartCount = newest.Attempt,
            StartedAt = newest.StartedAt,
            LastExit = runs.Select(run => run.Exit).FirstOrDefault(found => found is not null),
        };
    }

    private static Condition ReadyOf(
        WorkloadTarget? target, WorkloadView view, List<ContainerStatus> init, List<ContainerStatus> containers, WorkloadProblem? problem)
    {
        if (target is null)
        {
            return NotReady(ReadyReasons.Stopping, "it is being removed");
        }

        if (problem is not null)
        {
            return NotReady(problem.Reason, problem.Message);
        }

        if (WorkloadPlan.Replaces(target, view))
        {
            return NotReady(ReadyReasons.Stopping, "the version before is being stopped");
        }

        // While init containers are at work the others wait, whatever became of their runs before.
        if (containers.Exists(container => container.State == ContainerState.Waiting) && init.FindIndex(container => container is not { State: ContainerState.Terminated, LastExit.Code: 0 }) is >= 0 and var at)
        {
            return Trouble([init[at]], "init container") ?? NotReady(ReadyReasons.Initializing, $"init container '{init[at].Name}' ({at + 1} of {init.Count}) has not ended yet");
        }

        if (Trouble(containers, "container") is { } trouble)
        {
            return trouble;
        }

        if (containers.Find(container => container is { State: ContainerState.Running, Ready: false }) is { } unready && Unready(unready, view) is { } unreadiness)
        {
            return unreadiness;
        }

        return containers switch
        {
            _ when containers.Any(container => container.State == ContainerState.Waiting) => NotReady(ReadyReasons.Starting, "its containers are being started"),
            _ when containers.All(container => container.State == ContainerState.Terminated) => NotReady(ReadyReasons.Completed, "every container ended with success"),
            _ => new Condition { Type = ConditionTypes.Ready, Status = ConditionStatus.True, Reason = ReadyReasons.Ready },
        };
    }

    private static Condition? Unready(ContainerStatus container, WorkloadView view)
    {
        var run = view.Containers.First(run => run.Id == container.ContainerId);
        return run switch
        {
            { StopReason: WorkloadPlan.FailedPostStartHook } => NotReady(ReadyReasons.FailedPostStartHook, $"container '{container.Name}' is being stopped: {run.StopCause}"),
            { PostStart: not null } => NotReady(ReadyReasons.Starting, $"container '{container.Name}' waits for its postStart hook to end"),
            _ when view.Probed.GetValueOrDefault(run.Id) is { Complaint: { } complaint } probed =>
                NotReady(probed.HasFailed ? ReadyReasons.ProbeFailed : ReadyReasons.Starting, $"container '{container.Name}' {complaint}"),
            _ => null,
        };
    }

    private static Condition? Trouble(List<ContainerStatus> containers, string what)
    {
        if (containers.Find(container => container is { State: ContainerState.Terminated, LastExit: { } exit } && WorkloadPlan.IsFailure(exit)) is { } failed)
        {
            return NotReady(ReadyReasons.Failed, $"{what} '{failed.Name}' {Words(failed.LastExit!)} and is not started again");
        }

        if (containers.Find(container => container is { State: ContainerState.Waiting, LastExit: not null }) is { } waiting)
        {
            return waiting.LastExit!.Reason == "StartError"
                ? NotReady(ReadyReasons.StartFailed, $"{what} '{waiting.Name}' could not be started: {waiting.LastExit.Message}")
                : NotReady(waiting.LastExit.Reason == WorkloadPlan.FailedPostStartHook ? ReadyReasons.FailedPostStartHook : ReadyReasons.Restarting, $"{what} '{waiting.Name}' {Words(waiting.LastExit)} and is started again ({waiting.RestartCount} restarts)");
        }

        return null;
    }

    private static string Words(ContainerExit exit) => exit switch
    {
        { Reason: "OOMKilled" } => "was killed for using more memory than its limit",
        { Reason: WorkloadPlan.ProbeFailed or WorkloadPlan.FailedPostStartHook, Message: { } message } => $"was stopped: {message},",
        { Reason: OciRuntime.Evicted, Message: { } message } => $"was evicted ({message})",
        { Reason: "Lost", Message: { } message } => $"was lost ({message})",
        { Signal: { } signal } => $"was ended by {signal}",
        { Message: { } message } => $"ended with exit code {exit.Code} ({message})",
        _ => $"ended with exit code {exit.Code}",
    };

    private static Condition NoSeccomp { get; } = new()
    {
        Type = ConditionTypes.SeccompEnforced,
        Status = ConditionStatus.False,
        Reason = SeccompEnforcedReasons.SeccompMissing,
        Message = "the containers' system calls are not filtered: the node's kernel or OCI runtime has no seccomp",
    };

    private static Condition NotReady(string reason, string message) =>
        new() { Type = ConditionTypes.Ready, Status = ConditionStatus.False, Reason = reason, Message = message };
}
