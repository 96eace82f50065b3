using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Hub.Scheduling;

/// <summary>A port that keeps a workload from a node.</summary>
/// <param name="Node">The node that it would run on otherwise.</param>
/// <param name="Port">The port that it wants there.</param>
/// <param name="Holder">The name of the workload that publishes it there.</param>
internal sealed record TakenPort(string Node, HostPort Port, string Holder);

/// <summary>Which workload publishes which port of which node.</summary>
internal sealed class NodePorts
{
    private readonly Dictionary<(string Node, int Number, PortProtocol Protocol), List<(HostPort Port, FleetWorkload Holder)>> holders = [];

    /// <summary>The ports of a plan.</summary>
    public static NodePorts Of(IEnumerable<FleetWorkload> workloads, IReadOnlyDictionary<string, IReadOnlyList<string>> plan)
    {
        var ports = new NodePorts();
        foreach (var workload in workloads.Where(workload => workload.HostPorts.Count > 0))
        {
            foreach (var node in plan[workload.Uid])
            {
                ports.TryTake(node, workload, workload.HostPorts);
            }
        }

        return ports;
    }

    /// <summary>Takes all of <paramref name="wanted"/>, or nothing where another workload has one of them.</summary>
    public bool TryTake(string node, FleetWorkload workload, IEnumerable<HostPort> wanted)
    {
        var all = wanted.ToList();
        if (all.Any(port => Holder(node, port, workload) is not null))
        {
            return false;
        }

        foreach (var port in all)
        {
            var held = holders.TryGetValue(KeyOf(node, port), out var there) ? there : holders[KeyOf(node, port)] = [];
            held.RemoveAll(entry => entry.Port == port);
            held.Add((port, workload));
        }

        return true;
    }

    public bool Fits(string node, FleetWorkload workload) => workload.HostPorts.All(port => Holder(node, port, workload) is null);

    public void Release(string node, FleetWorkload workload)
    {
        foreach (var port in workload.HostPorts)
        {
            holders.GetValueOrDefault(KeyOf(node, port))?.RemoveAll(entry => entry.Port == port && entry.Holder.Uid == workload.Uid);
        }
    }

    /// <summary>What keeps a workload from <paramref name="nodes"/>, by node, then by port.</summary>
    public IReadOnlyList<TakenPort> TakenFrom(FleetWorkload workload, IEnumerable<string> nodes) =>
    [
        .. from node in nodes.Order(StringComparer.Ordinal)
           from port in workload.HostPorts.OrderBy(port => port.Number).ThenBy(port => port.Protocol).ThenBy(port => port.Address, StringComparer.Ordinal)
           let holder = Holder(node, port, workload)
           where holder is not null
           select new TakenPort(node, port, holder.Name),
    ];

    private FleetWorkload? Holder(string node, HostPort port, FleetWorkload otherThan) => holders.TryGetValue(KeyOf(node, port), out var held)
        ? held.Find(entry => entry.Port.Excludes(port) && entry.Holder.Uid != otherThan.Uid).Holder
        : null;

    private static (string Node, int Number, PortProtocol Protocol) KeyOf(string node, HostPort port) => (node, port.Number, port.Protocol);
}
