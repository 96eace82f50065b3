using System.Globalization;
using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Hub.Scheduling;

/// <summary>A port of a node that a workload publishes, written <c>8080/TCP</c>.</summary>
internal readonly record struct HostPort(int Number, PortProtocol Protocol)
{
    /// <summary>
    /// What a template publishes. With hostNetwork every port that is listed is the node's own, as in Kubernetes, where
    /// hostPort then defaults to containerPort.
    /// </summary>
    public static IReadOnlySet<HostPort> Of(PodSpec pod) => pod.Containers
        .SelectMany(container => container.Ports ?? [])
        .Where(port => pod.HostNetwork || port.HostPort is not null)
        .Select(port => new HostPort(port.HostPort ?? port.Port, port.Protocol))
        .ToHashSet();

    /// <summary>Reads what <see cref="ToString"/> writes.</summary>
    public static HostPort Parse(string text)
    {
        var slash = text.IndexOf('/', StringComparison.Ordinal);
        return new HostPort(int.Parse(text.AsSpan(0, slash), CultureInfo.InvariantCulture), Enum.Parse<PortProtocol>(text.AsSpan(slash + 1)));
    }

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Number}/{Protocol}");
}

/// <summary>A port that keeps a workload from a node.</summary>
/// <param name="Node">The node that it would run on otherwise.</param>
/// <param name="Port">The port that it wants there.</param>
/// <param name="Holder">The name of the workload that publishes it there.</param>
internal sealed record TakenPort(string Node, HostPort Port, string Holder);

/// <summary>Which workload publishes which port of which node.</summary>
internal sealed class NodePorts
{
    private readonly Dictionary<(string Node, HostPort Port), FleetWorkload> holders = [];

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

        all.ForEach(port => holders[(node, port)] = workload);
        return true;
    }

    public bool Fits(string node, FleetWorkload workload) => workload.HostPorts.All(port => Holder(node, port, workload) is null);

    public void Release(string node, FleetWorkload workload)
    {
        foreach (var port in workload.HostPorts.Where(port => holders.GetValueOrDefault((node, port))?.Uid == workload.Uid))
        {
            holders.Remove((node, port));
        }
    }

    /// <summary>What keeps a workload from <paramref name="nodes"/>, by node, then by port.</summary>
    public IReadOnlyList<TakenPort> TakenFrom(FleetWorkload workload, IEnumerable<string> nodes) =>
    [
        .. from node in nodes.Order(StringComparer.Ordinal)
           from port in workload.HostPorts.OrderBy(port => port.Number).ThenBy(port => port.Protocol)
           let holder = Holder(node, port, workload)
           where holder is not null
           select new TakenPort(node, port, holder.Name),
    ];

    private FleetWorkload? Holder(string node, HostPort port, FleetWorkload otherThan) =>
        holders.TryGetValue((node, port), out var holder) && holder.Uid != otherThan.Uid ? holder : null;
}
