using EdgeVirt.Contracts;

namespace EdgeVirt.Hub.Scheduling;

/// <summary>Puts a node's document together. Pure: equal content gives equal bytes, whatever the order of what comes in.</summary>
internal static class NodeDocumentRenderer
{
    /// <param name="node">The node's name.</param>
    /// <param name="placed">What is placed on it.</param>
    /// <param name="configs">Data of the Configs that there are; one that is missing is left out, and the node says so.</param>
    /// <param name="secrets">Data of the Secrets that there are, likewise.</param>
    public static NodeDocument Render(
        string node,
        IEnumerable<Placeable> placed,
        IReadOnlyDictionary<string, IReadOnlyDictionary<string, string>> configs,
        IReadOnlyDictionary<string, IReadOnlyDictionary<string, byte[]>> secrets)
    {
        var items = placed.OrderBy(item => item.Name, StringComparer.Ordinal).ToList();
        var machines = items.OfType<FleetMachine>().ToList();
        return new NodeDocument
        {
            Node = node,
            Workloads =
            [
                .. items.OfType<FleetWorkload>().Select(workload => new DesiredWorkload
                {
                    Name = workload.Name,
                    Uid = workload.Uid,
                    Generation = workload.Generation,
                    Template = workload.Spec.Template,
                    Strategy = workload.Spec.Strategy,
                }),
            ],
            VirtualMachines = machines.Count == 0
                ? null
                : [
                    .. machines.Select(machine => new DesiredVirtualMachine
                    {
                        Name = machine.Name,
                        Uid = machine.Uid,
                        Generation = machine.Generation,
                        Spec = machine.Spec with { Placement = null },
                    }),
                ],
            Configs = [.. Referenced(items, item => item.Configs, configs).Select(entry => new DesiredConfig { Name = entry.Name, Data = entry.Data })],
            Secrets = [.. Referenced(items, item => item.Secrets, secrets).Select(entry => new DesiredSecret { Name = entry.Name, Data = entry.Data })],
        };
    }

    private static IEnumerable<(string Name, SortedDictionary<string, T> Data)> Referenced<T>(
        List<Placeable> items,
        Func<Placeable, IReadOnlySet<string>> references,
        IReadOnlyDictionary<string, IReadOnlyDictionary<string, T>> all) =>
        items
            .SelectMany(references)
            .Distinct()
            .Where(all.ContainsKey)
            .Order(StringComparer.Ordinal)
            .Select(name => (name, new SortedDictionary<string, T>(all[name].ToDictionary(), StringComparer.Ordinal)));
}
