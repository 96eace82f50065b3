using System.Collections.ObjectModel;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.Containers.Probes;

namespace EdgeVirt.Node.Containers;

/// <summary>One thing to do. Steps of one list may run in any order, also at the same time.</summary>
internal abstract record WorkloadStep
{
    /// <summary>Ask it to end, and end it when the grace period is over.</summary>
    public sealed record Stop(ContainerRecord Container) : WorkloadStep;

    /// <summary>Free all it has but record and log.</summary>
    public sealed record Retire(ContainerRecord Container) : WorkloadStep;

    /// <summary>Free all it has.</summary>
    public sealed record Remove(ContainerRecord Container) : WorkloadStep;

    /// <summary>Free network, volumes made of Secrets and, with <paramref name="Volumes"/>, the emptyDirs.</summary>
    public sealed record RemoveSandbox(SandboxRecord Sandbox, bool Volumes) : WorkloadStep;

    /// <summary>Make network and volumes.</summary>
    public sealed record CreateSandbox : WorkloadStep;

    /// <summary>Begin a run.</summary>
    public sealed record Start(string Container, int Attempt, int Failures) : WorkloadStep;
}

/// <summary>What a workload has on the node.</summary>
/// <param name="Sandbox">Null: none.</param>
/// <param name="SandboxUsable">False after a reboot: recorded, but no longer there.</param>
/// <param name="Containers">All runs that are recorded. One without an exit is running.</param>
internal sealed record WorkloadView(SandboxRecord? Sandbox, bool SandboxUsable, IReadOnlyList<ContainerRecord> Containers)
{
    /// <summary>How far the probes of runs have come, by the run's id.</summary>
    public IReadOnlyDictionary<string, ProbedRun> Probed { get; init; } = ReadOnlyDictionary<string, ProbedRun>.Empty;
}

/// <summary>
/// What to do next for one workload: desired × what exists × time. Pure. Carry out the steps, look again, and plan anew,
/// until there are none.
/// </summary>
/// <param name="Steps">To do now.</param>
/// <param name="Due">When there is something to do although nothing happened; null: never.</param>
internal sealed record WorkloadPlan(IReadOnlyList<WorkloadStep> Steps, DateTimeOffset? Due)
{
    /// <summary>Reason of the exit of a run that was stopped for its probes.</summary>
    public const string ProbeFailed = "ProbeFailed";

    /// <summary>Reason of the exit of a run that was stopped because its postStart hook failed.</summary>
    public const string FailedPostStartHook = ReadyReasons.FailedPostStartHook;

    /// <summary>All is as it is to be.</summary>
    public static readonly WorkloadPlan Nothing = new([], null);

    /// <summary>Whether a sandbox or containers of another uid or content must go before the target can be.</summary>
    public static bool Replaces(WorkloadTarget target, WorkloadView view) =>
        (view.Sandbox is { } sandbox && (sandbox.Uid != target.Workload.Uid || sandbox.Hash != target.Hash)) ||
        view.Containers.Any(container => container.Uid != target.Workload.Uid || container.Hash != target.Hash);

    public static WorkloadPlan Make(WorkloadTarget? target, WorkloadView view, DateTimeOffset now)
    {
        if (target is null)
        {
            return TearDown(view, volumes: true);
        }

        if (Replaces(target, view))
        {
            return TearDown(view, volumes: view.Sandbox?.Uid != target.Workload.Uid);
        }

        if (view.Sandbox is null || !view.SandboxUsable)
        {
            // What still runs lost its network: begin anew in a fresh one, and count on.
            var running = Running(view);
            return running.Count > 0 ? new(running, null) : new([new WorkloadStep.CreateSandbox()], null);
        }

        var steps = new List<WorkloadStep>();
        DateTimeOffset? due = null;
        // As in Kubernetes: a first start waits for the postStart hooks of those before it in the list.
        var isHeld = false;
        foreach (var spec in target.Template.Containers)
        {
            var own = new List<WorkloadStep>();
            due = Earlier(due, PlanContainer(spec.Name, target.Template.RestartPolicy, view, now, own));
            var runs = RunsOf(spec.Name, view);
            var isFirst = runs.TrueForAll(run => run.SandboxAttempt != view.Sandbox.Attempt);
            steps.AddRange(isHeld && isFirst ? own.Where(step => step is not WorkloadStep.Start) : own);
            isHeld |= spec.Lifecycle?.PostStart is not null && ((isFirst && own.Exists(step => step is WorkloadStep.Start)) || runs is [{ Exit: null, PostStart: not null }, ..]);
        }

        return target.Template.InitContainers is { Count: > 0 } && (due is not null || steps.Exists(step => step is WorkloadStep.Start))
            ? PlanInit(target.Template, view, now, new(steps, due))
            : new(steps, due);
    }

    /// <summary>Whether an init container that ended as it did needs no further run, or gets none.</summary>
    public static bool EndsInit(RestartPolicy policy, ContainerExit exit) => exit.Code == 0 || policy == RestartPolicy.Never;

    /// <summary>Whether the policy wants another run after that exit.</summary>
    public static bool Restarts(RestartPolicy policy, ContainerExit exit) =>
        policy == RestartPolicy.Always || (policy == RestartPolicy.OnFailure && IsFailure(exit));

    /// <summary>Whether a run failed; one that the agent stopped for a failure did, whatever its exit code.</summary>
    public static bool IsFailure(ContainerExit exit) => exit.Code != 0 || exit.Reason is ProbeFailed or FailedPostStartHook;

    private static DateTimeOffset? PlanContainer(
        string name, RestartPolicy policy, WorkloadView view, DateTimeOffset now, List<WorkloadStep> steps)
    {
        var runs = RunsOf(name, view);
        if (runs.Count == 0)
        {
            steps.Add(new WorkloadStep.Start(name, 0, 0));
            return null;
        }

        var newest = runs[0];
        steps.AddRange(runs.Skip(2).Select(old => new WorkloadStep.Remove(old)));
        if (newest.Exit is not { } exit)
        {
            if (newest.StopCause is not null)
            {
                steps.Add(new WorkloadStep.Stop(newest));
            }

            return null;
        }

        if (!newest.Retired)
        {
            steps.Add(new WorkloadStep.Retire(newest));
        }

        if (!Restarts(policy, exit))
        {
            return null;
        }

        var due = RestartBackoff.DueAfter(newest, now);
        if (due > now)
        {
            return due;
        }

        steps.Add(new WorkloadStep.Start(name, newest.Attempt + 1, RestartBackoff.FailuresAfter(newest)));
        return null;
    }

    // Nothing of the others is started before each init container ended with success in this very sandbox.
    private static WorkloadPlan PlanInit(PodSpec template, WorkloadView view, DateTimeOffset now, WorkloadPlan then)
    {
        List<WorkloadStep> steps = [.. then.Steps.Where(step => step is not WorkloadStep.Start)];
        foreach (var name in template.InitContainers!.Select(init => init.Name))
        {
            var runs = RunsOf(name, view);
            steps.AddRange(runs.Skip(2).Select(old => new WorkloadStep.Remove(old)));
            if (runs is not [var newest, ..])
            {
                steps.Add(new WorkloadStep.Start(name, 0, 0));
                return new(steps, null);
            }

            if (newest.Exit is not { } exit)
            {
                return new(steps, null);
            }

            if (!newest.Retired)
            {
                steps.Add(new WorkloadStep.Retire(newest));
            }

            if (newest.SandboxAttempt != view.Sandbox!.Attempt)
            {
                steps.Add(new WorkloadStep.Start(name, newest.Attempt + 1, 0));
                return new(steps, null);
            }

            if (exit.Code == 0)
            {
                continue;
            }

            if (EndsInit(template.RestartPolicy, exit))
            {
                return new(steps, null);
            }

            var due = RestartBackoff.DueAfter(newest, now);
            if (due <= now)
            {
                steps.Add(new WorkloadStep.Start(name, newest.Attempt + 1, RestartBackoff.FailuresAfter(newest)));
            }

            return new(steps, due > now ? due : null);
        }

        return new([.. steps, .. then.Steps.Where(step => step is WorkloadStep.Start)], then.Due);
    }

    private static List<ContainerRecord> RunsOf(string name, WorkloadView view) =>
        [.. view.Containers.Where(container => container.Container == name).OrderByDescending(container => container.Attempt)];

    private static WorkloadPlan TearDown(WorkloadView view, bool volumes)
    {
        var running = Running(view);
        return running.Count > 0 ? new(running, null)
            : view.Containers.Count > 0 ? new([.. view.Containers.Select(container => new WorkloadStep.Remove(container))], null)
            : view.Sandbox is { } sandbox ? new([new WorkloadStep.RemoveSandbox(sandbox, volumes)], null)
            : Nothing;
    }

    private static IReadOnlyList<WorkloadStep> Running(WorkloadView view) =>
        [.. view.Containers.Where(container => container.Exit is null).Select(container => new WorkloadStep.Stop(container))];

    private static DateTimeOffset? Earlier(DateTimeOffset? one, DateTimeOffset? other) =>
        one is null || other < one ? other ?? one : one;
}
