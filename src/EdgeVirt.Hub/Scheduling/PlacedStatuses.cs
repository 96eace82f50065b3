using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Hub.Scheduling;

/// <summary>What is known about a resource across the fleet.</summary>
/// <param name="Item">The resource.</param>
/// <param name="Placed">Nodes whose document holds it.</param>
/// <param name="Reports">What nodes say, by node.</param>
/// <param name="MissingReferences">Secrets and Configs that it names and that do not exist, e.g. <c>Secret 'x'</c>.</param>
/// <param name="MatchingNodes">How many nodes the selector matches, whether they take workloads or not.</param>
/// <param name="Unfit">Nodes among <paramref name="Placed"/> that no longer carry out the kind.</param>
/// <param name="Obstacles">What keeps it from nodes that it would run on otherwise.</param>
internal sealed record PlacementFacts(
    Placeable Item,
    IReadOnlyList<string> Placed,
    IReadOnlyDictionary<string, InstanceReport> Reports,
    IReadOnlyList<string> MissingReferences,
    int MatchingNodes,
    IReadOnlyList<UnfitNode> Unfit,
    Obstacles Obstacles);

/// <summary>One status of many reports. Pure.</summary>
internal static class PlacedStatuses
{
    private const int MostNamed = 3;

    public static PlacedStatus Of(PlacementFacts facts, Func<string, bool> isOnline, PlacedStatus? previous, DateTimeOffset now)
    {
        var kind = PlacedKind.Of(facts.Item.Key.Kind);
        var reports = facts.Reports
            .Where(entry => entry.Value.Uid == facts.Item.Uid && entry.Value.Status is not null)
            .ToDictionary(entry => entry.Key, entry => entry.Value.Status!);
        var before = (previous?.OnNodes ?? []).ToDictionary(instance => instance.Node);

        // A node that still stops what it no longer is to run is shown too.
        var instances = facts.Placed.Union(reports.Keys)
            .Order(StringComparer.Ordinal)
            .Select(node => reports.TryGetValue(node, out var report) && isOnline(node)
                ? report
                : Silent(report ?? kind.Unreported(node), Silence(facts, node, isOnline(node)), before.GetValueOrDefault(node), now))
            .ToList();
        var placed = facts.Placed.ToHashSet();
        var wanted = instances.Where(instance => placed.Contains(instance.Node)).ToList();
        var ready = wanted.Count(instance => IsReady(instance, facts.Item.Generation));
        var overall = Dated(Overall(facts, wanted, ready), previous?.Conditions, now);
        return kind.Whole(instances) with
        {
            DesiredInstances = facts.Placed.Count,
            ReadyInstances = ready,
            Conditions =
            [
                overall,
                .. kind.Conditions
                    .Select(type => Worst(wanted, type))
                    .OfType<Condition>()
                    .Select(condition => Dated(condition, previous?.Conditions, now)),
            ],
        };
    }

    /// <summary>Why the newest report of a node, if there is any, does not count.</summary>
    private static Condition Silence(PlacementFacts facts, string node, bool online) =>
        !online ? Ready(ConditionStatus.Unknown, ReadyReasons.NodeOffline, "The node is out of reach; it keeps running what it last accepted.")
        : facts.Unfit.FirstOrDefault(unfit => unfit.Name == node) is { } unfit ? unfit.Lacks is { } lacks
            ? Ready(ConditionStatus.False, ReadyReasons.CapabilityMissing, $"The node cannot run {PlacedKind.Of(facts.Item.Key.Kind).Word}s: {lacks}.")
            : Ready(ConditionStatus.False, ReadyReasons.AgentTooOld, $"The node's agent does not run {PlacedKind.Of(facts.Item.Key.Kind).Word}s; update it, and it goes on with this one.")
        : Ready(ConditionStatus.False, ReadyReasons.Pending, "The node has not reported on it yet.");

    private static InstanceStatus Silent(InstanceStatus known, Condition why, InstanceStatus? before, DateTimeOffset now) => known with
    {
        Conditions = [Dated(why, before?.Conditions, now), .. known.Conditions.Where(other => other.Type != ConditionTypes.Ready)],
    };

    private static Condition Overall(PlacementFacts facts, List<InstanceStatus> wanted, int ready)
    {
        var replicas = facts.Item.Placement?.Replicas;
        var word = PlacedKind.Of(facts.Item.Key.Kind).Word;
        if (facts.MissingReferences.Count > 0)
        {
            return Ready(
                ConditionStatus.False, ReadyReasons.ReferenceMissing, $"Does not exist: {string.Join(", ", facts.MissingReferences)}. Apply it, or take it out of the {word}.");
        }

        var (ports, agents) = (facts.Obstacles.TakenPorts, facts.Obstacles.Unfit);
        var total = replicas ?? wanted.Count + ports.Select(taken => taken.Node).Concat(agents.Select(unfit => unfit.Name)).Distinct().Count();
        if (ports.Count > 0)
        {
            return Ready(ConditionStatus.False, ReadyReasons.PortTaken, $"Placed on {wanted.Count} of {total}: {HeldPorts(ports)}. " +
                $"Choose another port, or move or delete the {PlacedKind.Of(ports[0].Holder.Kind).Word} that has it.");
        }

        if (agents.Where(unfit => unfit.Lacks is not null).ToList() is { Count: > 0 } lacking)
        {
            var what = lacking.GroupBy(unfit => unfit.Lacks).Select(group => $"{Listed([.. group.Select(unfit => unfit.Name)], ", ")} cannot run {word}s: {group.Key}").ToList();
            return Ready(ConditionStatus.False, ReadyReasons.CapabilityMissing, $"Placed on {wanted.Count} of {total}: {Listed(what, "; ")}; " +
                "or leave these nodes out by spec.placement.nodeSelector.");
        }

        if (agents.Count > 0)
        {
            return Ready(ConditionStatus.False, ReadyReasons.AgentTooOld, $"Placed on {wanted.Count} of {total}: the agents of {Listed([.. agents.Select(unfit => unfit.Name)], ", ")} do not run {word}s. " +
                "Update them, or leave these nodes out by spec.placement.nodeSelector.");
        }

        if (wanted.Count < (replicas ?? 1))
        {
            return Ready(ConditionStatus.False, ReadyReasons.NoMatchingNode, facts.MatchingNodes == 0
                ? "No node carries the labels of spec.placement.nodeSelector."
                : $"Placed on {wanted.Count} of {replicas ?? 1}: {facts.MatchingNodes} nodes match, and the others are unschedulable{(facts.Item.Key.Kind == ResourceKind.Workload.Name ? "" : " or have not said yet what they run")}.");
        }

        if (ready == wanted.Count)
        {
            var completed = wanted.Count > 0 && wanted.All(instance => ReadyOf(instance)?.Reason == ReadyReasons.Completed);
            return Ready(ConditionStatus.True, completed ? ReadyReasons.Completed : ReadyReasons.Ready, $"{ready} of {wanted.Count} instances are ready.");
        }

        var generation = facts.Item.Generation;
        var first = wanted.First(instance => !IsReady(instance, generation));
        var condition = ReadyOf(first);
        var count = $"{ready} of {wanted.Count} instances are ready";
        if (condition?.Status == ConditionStatus.True && ConditionOf(first, ConditionTypes.Progressing) is { } progress)
        {
            // The version before does what it is there for; this says where the newest one is.
            return Ready(ConditionStatus.False, progress.Reason, $"{count}; {first.Node}: {progress.Message}");
        }

        return condition is null or { Status: ConditionStatus.True }
            ? Ready(ConditionStatus.False, ReadyReasons.Pending, $"{count}; {first.Node} has not acted on generation {generation} yet.")
            : Ready(ConditionStatus.False, condition.Reason, $"{count}; {first.Node}: {condition.Message ?? condition.Reason}");
    }

    /// <summary>E.g. <c>node port 8080/TCP is published by workload 'web' on node-1, node-2, node-3 and 4 more</c>.</summary>
    private static string HeldPorts(IReadOnlyList<TakenPort> taken)
    {
        var held = taken
            .GroupBy(one => (one.Port, one.Holder))
            .Select(group => $"node port {group.Key.Port} is published by {group.Key.Holder} on {Listed([.. group.Select(one => one.Node)], ", ")}")
            .ToList();
        return Listed(held, "; ");
    }

    private static string Listed(List<string> all, string separator) =>
        string.Join(separator, all.Take(MostNamed)) + (all.Count > MostNamed ? $" and {all.Count - MostNamed} more" : "");

    /// <summary>What a node says that does not hold, else what one of them says; null: none says anything.</summary>
    private static Condition? Worst(List<InstanceStatus> wanted, string type)
    {
        var reported = wanted
            .Select(instance => (instance.Node, Condition: ConditionOf(instance, type)))
            .Where(entry => entry.Condition is not null)
            .ToList();
        if (reported.Count == 0)
        {
            return null;
        }

        var (node, condition) = reported.Find(entry => entry.Condition!.Status != ConditionStatus.True) is { Condition: not null } broken ? broken : reported[0];
        return condition! with { Message = condition.Message is { } message ? $"{node}: {message}" : null, LastTransitionTime = null };
    }

    private static bool IsReady(InstanceStatus instance, long generation) =>
        instance.ObservedGeneration == generation && ReadyOf(instance)?.Status == ConditionStatus.True;

    private static Condition? ReadyOf(InstanceStatus instance) => ConditionOf(instance, ConditionTypes.Ready);

    private static Condition? ConditionOf(InstanceStatus instance, string type) =>
        instance.Conditions.FirstOrDefault(condition => condition.Type == type);

    private static Condition Ready(ConditionStatus status, string reason, string message) =>
        new() { Type = ConditionTypes.Ready, Status = status, Reason = reason, Message = message };

    private static Condition Dated(Condition condition, IReadOnlyList<Condition>? before, DateTimeOffset now)
    {
        var same = before?.FirstOrDefault(other => other.Type == condition.Type && other.Status == condition.Status);
        return condition with { LastTransitionTime = same?.LastTransitionTime ?? now };
    }
}
