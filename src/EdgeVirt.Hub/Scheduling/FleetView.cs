using EdgeVirt.Contracts.Api;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Hub.Resources;

namespace EdgeVirt.Hub.Scheduling;

/// <summary>The scheduler's picture of all resources, kept up to date by the change log, so that a change costs what changed.</summary>
internal sealed class FleetView(ResourceStore store)
{
    private const int Batch = 512;

    private readonly Dictionary<PlacedKey, Placeable> items = [];
    private readonly Dictionary<string, FleetNode> nodes = [];
    private readonly Dictionary<string, Resource> configs = [];
    private readonly Dictionary<string, Resource> secrets = [];
    private readonly HashSet<PlacedKey> touched = [];
    private readonly HashSet<string> turnedNodes = [];
    private long? version;

    /// <summary>All that is placed on nodes.</summary>
    public IReadOnlyCollection<Placeable> Items => items.Values;

    public IReadOnlyDictionary<string, FleetNode> Nodes => nodes;

    public IReadOnlyDictionary<string, Resource> Configs => configs;

    public IReadOnlyDictionary<string, Resource> Secrets => secrets;

    /// <summary>Something that decides over documents changed since the last <see cref="Settle"/>.</summary>
    public bool DocumentsMayDiffer { get; private set; }

    /// <summary>Items whose resource, or what it refers to, changed since the last <see cref="Settle"/>.</summary>
    public IReadOnlySet<PlacedKey> Touched => touched;

    /// <summary>Nodes that came, went, or changed their presence or their agent since the last <see cref="Settle"/>.</summary>
    public IReadOnlySet<string> TurnedNodes => turnedNodes;

    public Placeable? Item(PlacedKey key) => items.GetValueOrDefault(key);

    public bool IsOnline(string node) => nodes.TryGetValue(node, out var known) && known.Online;

    /// <summary>All has been acted upon.</summary>
    public void Settle()
    {
        DocumentsMayDiffer = false;
        touched.Clear();
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
        items.Clear();
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
        else if (PlacedKind.Find(resource.Kind) is { } kind)
        {
            TakeItem(new PlacedKey(resource.Kind, name), kind, gone ? null : resource);
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
        var agentDiffers = before?.HasReported != node?.HasReported || !(before?.Kinds ?? []).SequenceEqual(node?.Kinds ?? []) ||
            before?.LacksForMachines != node?.LacksForMachines;
        DocumentsMayDiffer |= agentDiffers || node is null || before is null || before.Unschedulable != node.Unschedulable || !SameLabels(before.Labels, node.Labels);
        if (before?.Online != node?.Online || before is null || agentDiffers)
        {
            turnedNodes.Add(name);
        }

        Set(nodes, name, node);
    }

    private void TakeItem(PlacedKey key, PlacedKind kind, Resource? resource)
    {
        var before = items.GetValueOrDefault(key);
        if (resource is not null && before is not null && before.Uid == resource.Metadata.Uid && before.Generation == resource.Metadata.Generation)
        {
            return;
        }

        DocumentsMayDiffer = true;
        touched.Add(key);
        Set(items, key, resource is null ? null : kind.Read(resource));
    }

    private void TakeData(Dictionary<string, Resource> known, string name, Resource? resource)
    {
        // Deleting is noticed too: what still names it shows ReferenceMissing.
        DocumentsMayDiffer = true;
        foreach (var item in Items.Where(item => item.Configs.Contains(name) || item.Secrets.Contains(name)))
        {
            touched.Add(item.Key);
        }

        Set(known, name, resource);
    }

    private static bool SameLabels(IReadOnlyDictionary<string, string>? one, IReadOnlyDictionary<string, string>? other) =>
        (one?.Count ?? 0) == (other?.Count ?? 0) && Labels.Match(one, other);

    private static void Set<TKey, T>(Dictionary<TKey, T> map, TKey key, T? value)
        where TKey : notnull
        where T : class
    {
        if (value is null)
        {
            map.Remove(key);
        }
        else
        {
            map[key] = value;
        }
    }
}
