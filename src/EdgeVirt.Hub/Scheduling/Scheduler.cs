using System.Text;
using System.Text.Json;
using EdgeVirt.Contracts.Manifests;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Hub.Resources;

namespace EdgeVirt.Hub.Scheduling;

/// <summary>
/// The loop that turns resources into node documents and reports into statuses. Level-triggered: a wake-up
/// says only that something changed, and any number of changes during a pass make one more pass.
/// </summary>
internal sealed partial class Scheduler(
    ResourceStore store, NodeRevisions revisions, InstanceStatuses instances, TimeProvider time, ILogger<Scheduler> logger) : BackgroundService
{
    private static readonly TimeSpan Resync = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan StatusInterval = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan FailurePause = TimeSpan.FromSeconds(1);

    private readonly Signal signal = new();
    private readonly HashSet<PlacedKey> unreported = [];
    private readonly Dictionary<string, string> fingerprints = [];
    private FleetView view = new(store);
    private Dictionary<string, Placed> placements = [];
    private Dictionary<string, IReadOnlyList<string>>? plan;
    private Dictionary<string, Obstacles> obstacles = [];
    private long statusesAt;

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var subscription = store.Subscribe(signal.Set);
        instances.WakeOnChange(signal.Set);
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await signal.WaitAsync(await PassAsync(stoppingToken), time, stoppingToken);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
#pragma warning disable CA1031 // The loop's edge: whatever failed is logged and tried again from scratch.
            catch (Exception e)
#pragma warning restore CA1031
            {
                LogFailed(e);
                view = new FleetView(store);
                plan = null;
                fingerprints.Clear();
                await Task.Delay(FailurePause, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    /// <summary>One pass. Returns when the next is due at the latest.</summary>
    internal async Task<TimeSpan> PassAsync(CancellationToken ct)
    {
        await view.RefreshAsync(ct);
        if (plan is null || view.DocumentsMayDiffer)
        {
            await PlaceAsync(ct);
        }

        unreported.UnionWith(view.Touched);
        unreported.UnionWith(instances.TakeChanged());
        if (view.TurnedNodes.Count > 0)
        {
            unreported.UnionWith(view.Items.Where(item => plan![item.Uid].Any(view.TurnedNodes.Contains)).Select(item => item.Key));
        }

        view.Settle();
        if (unreported.Count == 0)
        {
            return Resync;
        }

        // A fleet that reports all at once makes a few statuses, not thousands.
        var wait = StatusInterval - time.GetElapsedTime(statusesAt);
        if (statusesAt != 0 && wait > TimeSpan.Zero)
        {
            return wait;
        }

        foreach (var key in unreported.ToList())
        {
            await ReportAsync(key, ct);
            unreported.Remove(key);
        }

        statusesAt = time.GetTimestamp();
        return Resync;
    }

    private async Task PlaceAsync(CancellationToken ct)
    {
        var before = plan is null ? await revisions.ReadPlacementsAsync(ct) : placements;
        var next = PlacementPlan.Make(view.Items, [.. view.Nodes.Values], before);
        var ports = NodePorts.Of(view.Items, next);
        var inTheWay = view.Items.ToDictionary(item => item.Uid, item => PlacementPlan.ObstaclesOf(item, [.. view.Nodes.Values], next, ports));
        unreported.UnionWith(view.Items
            .Where(item => plan is null
                || !next[item.Uid].SequenceEqual(plan.GetValueOrDefault(item.Uid) ?? [])
                || !inTheWay[item.Uid].Same(obstacles.GetValueOrDefault(item.Uid) ?? Obstacles.None))
            .Select(item => item.Key));

        var placed = view.Nodes.Keys.ToDictionary(node => node, _ => new List<Placeable>());
        foreach (var item in view.Items)
        {
            foreach (var node in next[item.Uid])
            {
                placed[node].Add(item);
            }
        }

        await RenderAsync(placed, ct);
        var nodes = view.Nodes.Keys.ToHashSet();
        await revisions.RetainAsync(nodes, ct);
        await instances.RetainAsync(nodes, ct);
        placements = view.Items.ToDictionary(item => item.Uid, item => new Placed(next[item.Uid].ToHashSet(), item.HostPorts));
        obstacles = inTheWay;
        plan = next;
    }

    private async Task RenderAsync(Dictionary<string, List<Placeable>> placed, CancellationToken ct)
    {
        var marks = placed.ToDictionary(entry => entry.Key, entry => Fingerprint(entry.Value));
        var affected = placed.Where(entry => fingerprints.GetValueOrDefault(entry.Key) != marks[entry.Key]).ToList();
        if (affected.Count > 0)
        {
            var configs = new Dictionary<string, IReadOnlyDictionary<string, string>>();
            var secrets = new Dictionary<string, IReadOnlyDictionary<string, byte[]>>();
            foreach (var item in affected.SelectMany(entry => entry.Value).Distinct())
            {
                foreach (var name in item.Configs.Where(view.Configs.ContainsKey))
                {
                    configs[name] = view.Configs[name].SpecOf<ConfigSpec>().Data;
                }

                foreach (var name in item.Secrets.Where(name => !secrets.ContainsKey(name)))
                {
                    if (await store.RevealSecretAsync(name, ct) is { } data)
                    {
                        secrets[name] = data;
                    }
                }
            }

            await revisions.StoreAsync(
                [
                    .. affected.Select(entry => new RenderedNode(
                        entry.Key,
                        NodeDocumentRenderer.Render(entry.Key, entry.Value, configs, secrets).ToBytes(),
                        entry.Value)),
                ],
                ct);
        }

        fingerprints.Clear();
        foreach (var (node, mark) in marks)
        {
            fingerprints[node] = mark;
        }
    }

    /// <summary>What a document is made of, by name and version: equal fingerprints mean equal documents.</summary>
    private string Fingerprint(List<Placeable> items)
    {
        var text = new StringBuilder();
        foreach (var item in items.OrderBy(item => item.Name, StringComparer.Ordinal))
        {
            text.Append(item.Uid).Append(':').Append(item.Generation);
            Append(item.Configs, view.Configs);
            Append(item.Secrets, view.Secrets);
        }

        return text.ToString();

        void Append(IReadOnlySet<string> names, IReadOnlyDictionary<string, Resource> known)
        {
            foreach (var name in names)
            {
                var metadata = known.GetValueOrDefault(name)?.Metadata;
                text.Append(' ').Append(name).Append('=').Append(metadata?.Uid).Append(':').Append(metadata?.Generation);
            }

            text.Append(';');
        }
    }

    private async Task ReportAsync(PlacedKey key, CancellationToken ct)
    {
        if (view.Item(key) is not { } item || !plan!.TryGetValue(item.Uid, out var placed))
        {
            return;
        }

        var kind = PlacedKind.Of(key.Kind);
        var facts = new PlacementFacts(
            item,
            placed,
            instances.Of(key),
            [
                .. item.RequiredSecrets.Where(secret => !view.Secrets.ContainsKey(secret)).Select(secret => $"Secret '{secret}'"),
                .. item.RequiredConfigs.Where(config => !view.Configs.ContainsKey(config)).Select(config => $"Config '{config}'"),
            ],
            view.Nodes.Values.Count(item.Matches),
            [.. placed.Select(view.Nodes.GetValueOrDefault).OfType<FleetNode>().Where(node => node.HasReported && !node.CarriesOut(key.Kind)).Select(node => node.UnfitFor(key.Kind))],
            obstacles.GetValueOrDefault(item.Uid) ?? Obstacles.None);
        await store.UpdateStatusAsync(
            kind.Kind,
            key.Name,
            resource => resource.Metadata.Uid != item.Uid
                ? null
                : JsonSerializer.SerializeToElement(
                    PlacedStatuses.Of(facts, view.IsOnline, kind.ReadStatus(resource.Status), time.GetUtcNow()), kind.StatusType),
            ct);
    }

    [LoggerMessage(LogLevel.Error, "The scheduler's pass failed and is tried again.")]
    private partial void LogFailed(Exception e);
}
