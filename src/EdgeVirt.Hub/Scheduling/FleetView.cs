using EdgeVirt.Contracts.Api;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Hub.Resources;

namespace EdgeVirt.Hub.Scheduling;

/// <summary>The scheduler's picture of all resources, kept up to date by the change log, so that a change costs what changed.</summary>
internal sealed class FleetView(ResourceStore store)
{
    private const int Batch = 512;

    private readonly Dictionary<string, FleetWorkload> workloads = [];
    private readonly Dictionary<string, FleetNode> nodes = [];
    private readonly Dictionary<string, Resource> configs = [];
    private readonly Dictionary<string, Resource> secrets = [];
    private readonly HashSet<string> touchedWorkloads = [];
    private readonly HashSet<string> turnedNodes = [];
    private long? version;

    public IReadOnlyCollection<FleetWorkload> Workloads => workloads.Values;

    public IReadOnlyDictionary<string, FleetNode> Nodes => nodes;

    public IReadOnlyDictionary<string, Resource> Configs => configs;

    public IReadOnlyDictionary<string, Resource> Secrets => secrets;

    /// <summary>Something that decides over documents changed since the last <see cref="Settle"/>.</summary>
    public bool DocumentsMayDiffer { get; private set; }

    /// <summary>Workloads whose resource changed since the last <see cref="Settle"/>.</summary>
    public IReadOnlySet<string> TouchedWorkloads => touchedWorkloads;

    /// <summary>Nodes that came, went, or changed their presence since the last <see cref="Settle"/>.</summary>
    public IReadOnlySet<string> TurnedNodes => turnedNodes;

    public FleetWorkload? Workload(string name) => workloads.GetValueOrDefault(name);

    public bool IsOnline(string node) => nodes.TryGetValue(node, out var known) && known.Online;

    /// <summary>All has been acted upon.</summary>
    public void Settle()
    {
        DocumentsMayDiffer = false;
        touchedWorkloads.Clear();
        turnedNodes.Clear();
    }

    /// <summary>Takes in what happened since the last call.</summary>
    public async Task RefreshAsync(CancellationToken ct)
    {
        try
        {
            while (version is { } from)
            {
                var (changes, upTo) = await store.ReadChangesAsync(null, from, Batch, ct);
                foreach (var change in changes)
                {
                    Take(change.Resource, gone: change.Type == WatchEventType.Deleted);
                }

                version = upTo;
                if (changes.Count < Batch)
                {
                    return;
                }
            }
        }
        catch (GoneException)
        {
            // Too much happened since: start over below.
        }

        await ReloadAsync(ct);
    }

    private async Task ReloadAsync(CancellationToken ct)
    {
        var all = await store.ListAllAsync(ct);
        workloads.Clear();
        nodes.Clear();
        configs.Clear();
        secrets.Clear();
        foreach (var resource in all.Items)
        {
            Take(resource, gone: false);
        }

        DocumentsMayDiffer = true;
        version = all.ResourceVersion;
    }

    private void Take(Resource resource, bool gone)
    {
        var name = resource.Metadata.Name;
        if (resource.Kind == ResourceKind.Node.Name)
        {
            TakeNode(name, gone ? null : FleetNode.Of(resource));
        }
        else if (resource.Kind == ResourceKind.Workload.Name)
        {
            TakeWorkload(name, gone ? null : resource);
        }
        else if (resource.Kind == ResourceKind.Config.Name)
        {
            TakeData(configs, name, gone ? null : resource);
        }
        else if (resource.Kind == ResourceKind.Secret.Name)
        {
            TakeData(secrets, name, gone ? null : resource);
        }
    }

    private void TakeNode(string name, FleetNode? node)
    {
        var before = nodes.GetValueOrDefault(name);
        DocumentsMayDiffer |= node is null || before is null || before.Unschedulable != node.Unschedulable || !SameLabels(before.Labels, node.Labels);
        if (before?.Online != node?.Online || before is null)
        {
            turnedNodes.Add(name);
        }

        Set(nodes, name, node);
    }

    private void TakeWorkload(string name, Resource? resource)
    {
        var before = workloads.GetValueOrDefault(name);
        if (resource is not null && before is not null && before.Uid == resource.Metadata.Uid && before.Generation == resource.Metadata.Generation)
        {
            return;
        }

        DocumentsMayDiffer = true;
        touchedWorkloads.Add(name);
        Set(workloads, name, resource is null ? null : FleetWorkload.Of(resource));
    }

    private void TakeData(Dictionary<string, Resource> known, string name, Resource? resource)
    {
        // Deleting is noticed too: a workload that still names it shows ReferenceMissing.
        DocumentsMayDiffer = true;
        foreach (var workload in Workloads.Where(workload => workload.Configs.Contains(name) || workload.Secrets.Contains(name)))
        {
            touchedWorkloads.Add(workload.Name);
        }

        Set(known, name, resource);
    }

    private static bool SameLabels(IReadOnlyDictionary<string, string>? one, IReadOnlyDictionary<string, string>? other) =>
        (one?.Count ?? 0) == (other?.Count ?? 0) && Labels.Match(one, other);

    private static void Set<T>(Dictionary<string, T> map, string name, T? value)
        where T : class
    {
        if (value is null)
        {
            map.Remove(name);
        }
        else
        {
            map[name] = value;
        }
    }
}
