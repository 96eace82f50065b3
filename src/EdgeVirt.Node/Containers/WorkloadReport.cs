using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Node.Containers;

/// <summary>Puts into words what a workload does. Pure.</summary>
internal static class WorkloadReport
{
    /// <param name="target">Null: it is being removed.</param>
    /// <param name="view">What it has on the node.</param>
    /// <param name="problem">What keeps it from going on; null: nothing.</param>
    /// <param name="missingControllers">Whose limits are not enforced.</param>
    /// <param name="before">The last report: gives the node's name and the times of conditions that did not change.</param>
    /// <param name="now">Now.</param>
    public static WorkloadInstanceStatus Make(
        WorkloadTarget? target,
        WorkloadView view,
        WorkloadProblem? problem,
        IReadOnlyList<string> missingControllers,
        WorkloadInstanceStatus? before,
        DateTimeOffset now)
    {
        var names = target?.Template.Containers.Select(container => container.Name) ?? view.Containers.Select(container => container.Container).Distinct();
        var containers = names.Select(name => StatusOf(name, target, view)).ToList();
        List<Condition> conditions = [ReadyOf(target, view, containers, problem)];
        if (target is not null)
        {
            conditions.Add(LimitsOf(target, missingControllers));
        }

        return new WorkloadInstanceStatus
        {
            Node = target?.Node ?? before?.Node ?? "",
            ObservedGeneration = target?.Workload.Generation ?? before?.ObservedGeneration ?? 0,
            Address = view.SandboxUsable ? view.Sandbox?.Address : null,
            Containers = containers,
            Conditions = [.. conditions.Select(condition => condition with { LastTransitionTime = SinceOf(condition, before, now) })],
        };
    }

    private static ContainerStatus StatusOf(string name, WorkloadTarget? target, WorkloadView view)
    {
        var runs = view.Containers.Where(container => container.Container == name).OrderByDescending(container => container.Attempt).ToList();
        if (runs.Count == 0)
        {
            return new ContainerStatus { Name = name, State = ContainerState.Waiting };
        }

        var newest = runs[0];
        var ends = newest.Exit is { } exit && (target is null || !WorkloadPlan.Restarts(target.Template.RestartPolicy, exit));
        return new ContainerStatus
        {
            Name = name,
            State = ends ? ContainerState.Terminated : newest is { Exit: null, StartedAt: not null } ? ContainerState.Running : ContainerState.Waiting,
            ContainerId = newest.Id,
            ImageDigest = newest.ImageDigest,
            RestartCount = newest.Attempt,
            StartedAt = newest.StartedAt,
            LastExit = runs.Select(run => run.Exit).FirstOrDefault(found => found is not null),
        };
    }

    private static Condition ReadyOf(WorkloadTarget? target, WorkloadView view, List<ContainerStatus> containers, WorkloadProblem? problem)
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

        if (containers.FirstOrDefault(container => container is { State: ContainerState.Terminated, LastExit.Code: not 0 }) is { } failed)
        {
            return NotReady(ReadyReasons.Failed, $"container '{failed.Name}' {Words(failed.LastExit!)} and is not started again");
        }

        if (containers.FirstOrDefault(container => container is { State: ContainerState.Waiting, LastExit: not null }) is { } waiting)
        {
            return waiting.LastExit!.Reason == "StartError"
                ? NotReady(ReadyReasons.StartFailed, $"container '{waiting.Name}' could not be started: {waiting.LastExit.Message}")
                : NotReady(ReadyReasons.Restarting, $"container '{waiting.Name}' {Words(waiting.LastExit)} and is started again ({waiting.RestartCount} restarts)");
        }

        return containers switch
        {
            _ when containers.Any(container => container.State == ContainerState.Waiting) => NotReady(ReadyReasons.Starting, "its containers are being started"),
            _ when containers.All(container => container.State == ContainerState.Terminated) => NotReady(ReadyReasons.Completed, "every container ended with success"),
            _ => new Condition { Type = ConditionTypes.Ready, Status = ConditionStatus.True, Reason = ReadyReasons.Ready },
        };
    }

    private static string Words(ContainerExit exit) => exit switch
    {
        { Reason: "OOMKilled" } => "was killed for using more memory than its limit",
        { Reason: "Lost", Message: { } message } => $"was lost ({message})",
        { Signal: { } signal } => $"was ended by {signal}",
        _ => $"ended with exit code {exit.Code}",
    };

    private static Condition LimitsOf(WorkloadTarget target, IReadOnlyList<string> missingControllers)
    {
        var resources = target.Template.Containers.Select(container => container.Resources).ToList();
        var asked = new[]
        {
            ("cpu", resources.Any(asks => asks.CpuRequest() is not null)),
            ("memory", resources.Any(asks => asks.MemoryRequest() is not null)),
            ("pids", resources.Any(asks => asks?.Limits?.Pids is not null)),
        };
        var missed = asked.Where(pair => pair.Item2 && missingControllers.Contains(pair.Item1)).Select(pair => pair.Item1).ToList();
        if (missed.Count > 0)
        {
            return NotEnforced(
                LimitsEnforcedReasons.ControllerMissing,
                $"limits and requests of {string.Join(" and ", missed)} have no effect: the node's kernel does not offer that control group controller");
        }

        return missingControllers.Contains("oom") && QosClasses.Of(target.Template) == QosClass.Guaranteed
            ? NotEnforced(
                LimitsEnforcedReasons.CapabilityMissing,
                "its class Guaranteed does not make it the last to be ended for want of memory: the agent has no CAP_SYS_RESOURCE; its limits do hold")
            : new Condition { Type = ConditionTypes.LimitsEnforced, Status = ConditionStatus.True, Reason = LimitsEnforcedReasons.Enforced };
    }

    private static Condition NotEnforced(string reason, string message) =>
        new() { Type = ConditionTypes.LimitsEnforced, Status = ConditionStatus.False, Reason = reason, Message = message };

    private static Condition NotReady(string reason, string message) =>
        new() { Type = ConditionTypes.Ready, Status = ConditionStatus.False, Reason = reason, Message = message };

    private static DateTimeOffset SinceOf(Condition condition, WorkloadInstanceStatus? before, DateTimeOffset now) =>
        before?.Conditions.FirstOrDefault(old => old.Type == condition.Type && old.Status == condition.Status)?.LastTransitionTime ?? now;
}
