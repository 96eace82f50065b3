using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Hub.Scheduling;

/// <summary>A port that keeps something from a node.</summary>
/// <param name="Node">The node that it would run on otherwise.</param>
/// <param name="Port">The port that it wants there.</param>
/// <param name="Holder">What publishes it there.</param>
internal sealed record TakenPort(string Node, HostPort Port, PlacedKey Holder);

/// <summary>A node that does not carry out a kind.</summary>
/// <param name="Name">The node.</param>
/// <param name="Lacks">What is missing there, and what to do; null: its agent does not know the kind.</param>
internal sealed record UnfitNode(string Name, string? Lacks);

/// <summary>What keeps an item from nodes that it would run on otherwise.</summary>
/// <param name="TakenPorts">Ports that others publish there.</param>
/// <param name="Unfit">Nodes that do not carry out its kind.</param>
internal sealed record Obstacles(IReadOnlyList<TakenPort> TakenPorts, IReadOnlyList<UnfitNode> Unfit)
{
    public static Obstacles None { get; } = new([], []);

    public bool Same(Obstacles other) => TakenPorts.SequenceEqual(other.TakenPorts) && Unfit.SequenceEqual(other.Unfit);
}

/// <summary>What publishes which port of which node.</summary>
internal sealed class NodePorts
{
    private readonly Dictionary<(string Node, int Number, PortProtocol Protocol), List<(HostPort Port, Placeable Holder)>> holders = [];

    /// <summary>The ports of a plan.</summary>
    public static NodePorts Of(IEnumerable<Placeable> items, IReadOnlyDictionary<string, IReadOnlyList<string>> plan)
    {
        var ports = new NodePorts();
        foreach (var item in items.Where(item => item.HostPorts.Count > 0))
        {
            foreach (var node in plan[item.Uid])
            {
                ports.TryTake(node, item, item.HostPorts);
            }
        }

        return ports;
    }

    /// <summary>Takes all of <paramref name="wanted"/>, or nothing where another has one of them.</summary>
    public bool TryTake(string node, Placeable item, IEnumerable<HostPort> wanted)
    {
        var all = wanted.ToList();
        if (all.Any(port => Holder(node, port, item) is not null))
        {
            return false;
        }

        foreach (var port in all)
        {
            var held = holders.TryGetValue(KeyOf(node, port), out var there) ? there : holders[KeyOf(node, port)] = [];
            held.RemoveAll(entry => entry.Port == port);
            held.Add((port, item));
        }

        return true;
    }

    public bool Fits(string node, Placeable item) => item.HostPorts.All(port => Holder(node, port, item) is null);

    public void Release(string node, Placeable item)
    {
        foreach (var port in item.HostPorts)
        {
            holders.GetValueOrDefault(KeyOf(node, port))?.RemoveAll(entry => entry.Port == port && entry.Holder.Uid == item.Uid);
        }
    }

    /// <summary>What keeps something from <paramref name="nodes"/>, by node, then by port.</summary>
    public IReadOnlyList<TakenPort> TakenFrom(Placeable item, IEnumerable<string> nodes) =>
    [
        .. from node in nodes.Order(StringComparer.Ordinal)
           from port in item.HostPorts.OrderBy(port => port.Number).ThenBy(port => port.Protocol).ThenBy(port => port.Address, StringComparer.Ordinal)
           let holder = Holder(node, port, item)
           where holder is not null
           select new TakenPort(node, port, holder.Key),
    ];

    private Placeable? Holder(string node, HostPort port, Placeable otherThan) => holders.TryGetValue(KeyOf(node, port), out var held)
        ? held.Find(entry => entry.Port.Excludes(port) && entry.Holder.Uid != otherThan.Uid).Holder
        : null;

    private static (string Node, int Number, PortProtocol Protocol) KeyOf(string node, HostPort port) => (node, port.Number, port.Protocol);
}
