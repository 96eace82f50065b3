using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.Containers.Sets;

namespace EdgeVirt.Node.Containers;

/// <summary>
/// Which workload waits for which before it starts. Owners say how far theirs has come and ask whether it may begin; who was
/// told to wait is named when what it waits for comes further. Safe for use by several threads.
/// </summary>
/// <param name="setOf">The set that speaks for a workload; null: none does.</param>
internal sealed class StartOrder(Func<string, WorkloadSet?> setOf)
{
    private readonly Lock gate = new();
    private readonly Dictionary<string, StartProgress> progress = [];
    private readonly Dictionary<string, HashSet<string>> waiting = [];

    /// <summary>Says how far a workload has come; gives the workloads that are to ask again.</summary>
    /// <param name="name">The workload.</param>
    /// <param name="now">Null: it is gone.</param>
    public IReadOnlyCollection<string> Tell(string name, StartProgress? now)
    {
        lock (gate)
        {
            if (progress.GetValueOrDefault(name) == now)
            {
                return [];
            }

            if (now is null)
            {
                progress.Remove(name);
            }
            else
            {
                progress[name] = now;
            }

            return waiting.Remove(name, out var names) ? names : [];
        }
    }

    /// <summary>What keeps a target from beginning; null: nothing does.</summary>
    /// <param name="target">What is to begin.</param>
    /// <param name="ofOtherSets">Count only what other sets have to do: what is in the same set is switched with it.</param>
    public WorkloadProblem? ProblemOf(WorkloadTarget target, bool ofOtherSets = false)
    {
        foreach (var after in target.Template.StartAfter ?? [])
        {
            // Before it is looked at, so that what changes from here on is heard of.
            var found = Watch(after.Workload, target.Workload.Name);
            var set = setOf(after.Workload);
            if ((set?.Key == target.SetKey && ofOtherSets) || (set?.Wants(after.Workload) != true && after.Optional))
            {
                continue;
            }

            // Asked of the set itself: members may not have heard of a switch yet.
            var wanted = set?.ToRun(after.Workload);
            if (wanted is null || found?.Hash != wanted.Hash || !found.Has(after.Condition))
            {
                return ProblemOf(target.Workload.Name, after, wanted, set?.Wants(after.Workload) == true, found);
            }
        }

        return null;
    }

    private WorkloadProblem ProblemOf(string name, StartAfter after, WorkloadTarget? wanted, bool isHere, StartProgress? found)
    {
        if (!isHere)
        {
            return new(ReadyReasons.WorkloadMissing, $"it starts after workload '{after.Workload}', which is not on this node: place that here too, or make it optional in startAfter");
        }

        if (StartCircle.Find(name, AfterOf) is { } circle)
        {
            return new(ReadyReasons.StartCircle, $"startAfter makes a circle in which nothing starts: {string.Join(" after ", circle.Select(one => $"'{one}'"))}; take one of them out");
        }

        var what = after.Condition switch { StartCondition.Started => "has started", StartCondition.Completed => "has ended with success", _ => "is Ready" };
        return new(ReadyReasons.WaitingForWorkload, $"it starts as soon as workload '{after.Workload}' {what}{HintOf(after.Condition, wanted, found)}");
    }

    private static string HintOf(StartCondition condition, WorkloadTarget? wanted, StartProgress? found) => (condition, found?.Reason) switch
    {
        (_, ReadyReasons.Failed) => "; that one has failed",
        (StartCondition.Ready, ReadyReasons.Completed) => "; that one has ended already, and 'Completed' would wait for that",
        (StartCondition.Completed, _) when wanted?.Template.RestartPolicy == RestartPolicy.Always => "; that one has the restartPolicy Always and never does: OnFailure or Never would",
        _ => "",
    };

    private IEnumerable<string> AfterOf(string name) => (setOf(name)?.Wanted(name)?.Template.StartAfter ?? []).Select(after => after.Workload);

    private StartProgress? Watch(string name, string waiter)
    {
        lock (gate)
        {
            if (!waiting.TryGetValue(name, out var names))
            {
                waiting[name] = names = [];
            }

            names.Add(waiter);
            return progress.GetValueOrDefault(name);
        }
    }
}
