using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Hub.Scheduling;

/// <summary>
/// Which nodes run which workload. Pure: the same fleet and the same placements before give the same plan. A placement
/// is kept as long as the node matches and the number asked for allows it, so that nothing moves without a cause.
/// </summary>
internal static class PlacementPlan
{
    /// <param name="workloads">All of them.</param>
    /// <param name="nodes">All of them.</param>
    /// <param name="current">Nodes by the uid of the workload that is placed on them now.</param>
    /// <returns>Nodes by the workload's uid, ordered by name; an entry for each workload.</returns>
    public static Dictionary<string, IReadOnlyList<string>> Make(
        IReadOnlyCollection<FleetWorkload> workloads,
        IReadOnlyCollection<FleetNode> nodes,
        IReadOnlyDictionary<string, IReadOnlySet<string>> current)
    {
        var load = nodes.ToDictionary(node => node.Name, _ => 0);
        var plan = new Dictionary<string, IReadOnlyList<string>>(workloads.Count);
        var counted = new List<(FleetWorkload Workload, int Replicas, List<FleetNode> Kept, List<FleetNode> Free)>();
        foreach (var workload in workloads.OrderBy(workload => workload.Name, StringComparer.Ordinal))
        {
            var (kept, free) = Candidates(workload, nodes, current.GetValueOrDefault(workload.Uid));
            if (workload.Spec.Placement?.Replicas is { } replicas)
            {
                // What stays where it is weighs on its node before anything new is placed.
                kept = [.. kept.OrderByDescending(node => node.Online).ThenBy(node => node.Name, StringComparer.Ordinal).Take(replicas)];
                counted.Add((workload, replicas, kept, free));
            }
            else
            {
                kept.AddRange(free);
                plan[workload.Uid] = Names(kept);
            }

            foreach (var node in kept)
            {
                load[node.Name]++;
            }
        }

        foreach (var (workload, replicas, kept, free) in counted)
        {
            var added = free
                .OrderByDescending(node => node.Online)
                .ThenBy(node => load[node.Name])
                .ThenBy(node => node.Name, StringComparer.Ordinal)
                .Take(replicas - kept.Count)
                .ToList();
            foreach (var node in added)
            {
                load[node.Name]++;
            }

            plan[workload.Uid] = Names(kept.Concat(added));
        }

        return plan;
    }

    /// <summary>Nodes that match: those that have the workload, and those that may get it.</summary>
    private static (List<FleetNode> Kept, List<FleetNode> Free) Candidates(
        FleetWorkload workload, IReadOnlyCollection<FleetNode> nodes, IReadOnlySet<string>? current)
    {
        var kept = new List<FleetNode>();
        var free = new List<FleetNode>();
        foreach (var node in nodes.Where(node => Labels.Match(workload.Spec.Placement?.NodeSelector, node.Labels)))
        {
            if (current?.Contains(node.Name) == true)
            {
                kept.Add(node);
            }
            else if (!node.Unschedulable)
            {
                free.Add(node);
            }
        }

        return (kept, free);
    }

    private static List<string> Names(IEnumerable<FleetNode> nodes) => [.. nodes.Select(node => node.Name).Order(StringComparer.Ordinal)];
}
