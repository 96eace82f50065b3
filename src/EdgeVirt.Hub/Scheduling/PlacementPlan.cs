namespace EdgeVirt.Hub.Scheduling;

/// <summary>Where something is placed now.</summary>
/// <param name="Nodes">The nodes whose document holds it.</param>
/// <param name="Ports">What it publishes by these documents, which its spec may have left behind by now.</param>
internal sealed record Placed(IReadOnlySet<string> Nodes, IReadOnlySet<HostPort> Ports);

/// <summary>
/// Which nodes run what. Pure: the same fleet and the same placements before give the same plan. A placement
/// is kept as long as the node matches and the number asked for allows it, so that nothing moves without a cause: not even off a node
/// whose agent no longer knows the kind, which may be back at its newer version soon. No two
/// items publish the same port of a node: who publishes it keeps it, and among those who come for it the older one gets it.
/// </summary>
internal static class PlacementPlan
{
    /// <param name="items">All that is to be placed.</param>
    /// <param name="nodes">All of them.</param>
    /// <param name="current">Placements now, by the item's uid.</param>
    /// <returns>Nodes by the item's uid, ordered by name; an entry for each item.</returns>
    public static Dictionary<string, IReadOnlyList<string>> Make(
        IReadOnlyCollection<Placeable> items,
        IReadOnlyCollection<FleetNode> nodes,
        IReadOnlyDictionary<string, Placed> current)
    {
        var ports = new NodePorts();
        var claims = items
            .OrderBy(item => item.Created)
            .ThenBy(item => item.Name, StringComparer.Ordinal)
            .Select(item => new Claim(item, nodes, current.GetValueOrDefault(item.Uid)))
            .ToList();
        Keep(claims, ports);

        // What stays where it is, and what goes everywhere, weighs on its node before anything new is placed.
        var load = nodes.ToDictionary(node => node.Name, _ => 0);
        foreach (var node in claims.SelectMany(claim => claim.Replicas is null ? claim.Kept.Concat(claim.Free) : claim.Kept))
        {
            load[node.Name]++;
        }

        foreach (var claim in claims)
        {
            Add(claim, ports, load);
        }

        return claims.ToDictionary(
            claim => claim.Item.Uid, IReadOnlyList<string> (claim) => [.. claim.Kept.Select(node => node.Name).Order(StringComparer.Ordinal)]);
    }

    /// <summary>Nodes that an item, placed as it is in <paramref name="plan"/>, would be on too if no port were taken there.</summary>
    public static IReadOnlyList<TakenPort> TakenFrom(
        Placeable item, IEnumerable<FleetNode> nodes, IReadOnlyDictionary<string, IReadOnlyList<string>> plan, NodePorts ports)
    {
        var placed = plan[item.Uid];
        return item.HostPorts.Count == 0 || placed.Count >= item.Placement?.Replicas
            ? []
            : ports.TakenFrom(item, nodes.Where(node => item.MayGoTo(node) && !placed.Contains(node.Name)).Select(node => node.Name));
    }

    /// <summary>What keeps an item, placed as it is in <paramref name="plan"/>, from nodes that it would be on too.</summary>
    public static Obstacles ObstaclesOf(
        Placeable item, IReadOnlyCollection<FleetNode> nodes, IReadOnlyDictionary<string, IReadOnlyList<string>> plan, NodePorts ports)
    {
        var placed = plan[item.Uid];
        return new Obstacles(
            TakenFrom(item, nodes, plan, ports),
            placed.Count >= item.Placement?.Replicas
                ? []
                : [.. nodes.Where(node => item.WaitsForAgentOf(node) && !placed.Contains(node.Name)).OrderBy(node => node.Name, StringComparer.Ordinal).Select(node => node.UnfitFor(item.Key.Kind))]);
    }

    /// <summary>Lets what is placed stay, unless its spec now wants a port of the node that another publishes.</summary>
    private static void Keep(List<Claim> claims, NodePorts ports)
    {
        // First every port that is published already, and only then those that an edit asks for, so that no edit evicts a holder.
        foreach (var claim in claims)
        {
            claim.Retain(ports, claim.Item.HostPorts.Where(claim.PublishedBefore.Contains));
        }

        foreach (var claim in claims.Where(claim => !claim.Item.HostPorts.IsSubsetOf(claim.PublishedBefore)))
        {
            claim.Retain(ports, claim.Item.HostPorts);
        }

        foreach (var claim in claims)
        {
            claim.Trim(ports);
        }
    }

    private static void Add(Claim claim, NodePorts ports, Dictionary<string, int> load)
    {
        foreach (var node in claim.Free.Where(node => claim.Replicas is null && !ports.Fits(node.Name, claim.Item)))
        {
            load[node.Name]--;
        }

        var fitting = claim.Free.Where(node => ports.Fits(node.Name, claim.Item));
        if (claim.Replicas is { } replicas)
        {
            fitting = fitting
                .OrderByDescending(node => node.Online)
                .ThenBy(node => load[node.Name])
                .ThenBy(node => node.Name, StringComparer.Ordinal)
                .Take(replicas - claim.Kept.Count);
        }

        foreach (var node in fitting.ToList())
        {
            ports.TryTake(node.Name, claim.Item, claim.Item.HostPorts);
            load[node.Name] += claim.Replicas is null ? 0 : 1;
            claim.Kept.Add(node);
        }
    }

    /// <summary>An item and the nodes that match: those that have it, and those that may get it.</summary>
    private sealed class Claim
    {
        public Claim(Placeable item, IReadOnlyCollection<FleetNode> nodes, Placed? now)
        {
            Item = item;
            PublishedBefore = now?.Ports ?? new HashSet<HostPort>();
            foreach (var node in nodes.Where(item.Matches))
            {
                if (now?.Nodes.Contains(node.Name) == true)
                {
                    Kept.Add(node);
                }
                else if (item.MayGoTo(node))
                {
                    Free.Add(node);
                }
            }
        }

        public Placeable Item { get; }

        public int? Replicas => Item.Placement?.Replicas;

        public IReadOnlySet<HostPort> PublishedBefore { get; }

        public List<FleetNode> Kept { get; private set; } = [];

        public List<FleetNode> Free { get; } = [];

        /// <summary>Takes ports on the nodes that have it; a node where one is another's is given up.</summary>
        public void Retain(NodePorts ports, IEnumerable<HostPort> wanted)
        {
            var all = wanted.ToList();
            foreach (var node in Kept.Where(node => !ports.TryTake(node.Name, Item, all)).ToList())
            {
                ports.Release(node.Name, Item);
                Kept.Remove(node);
                if (Item.MayGoTo(node))
                {
                    Free.Add(node);
                }
            }
        }

        /// <summary>Gives up what is more than asked for.</summary>
        public void Trim(NodePorts ports)
        {
            if (Replicas is not { } replicas || Kept.Count <= replicas)
            {
                return;
            }

            var ordered = Kept.OrderByDescending(node => node.Online).ThenBy(node => node.Name, StringComparer.Ordinal).ToList();
            Kept = ordered[..replicas];
            ordered[replicas..].ForEach(node => ports.Release(node.Name, Item));
        }
    }
}
