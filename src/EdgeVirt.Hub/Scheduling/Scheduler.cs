using System.Text;
using System.Text.Json;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Manifests;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Hub.Resources;

namespace EdgeVirt.Hub.Scheduling;

/// <summary>
/// The loop that turns resources into node documents and reports into Workload statuses. Level-triggered: a wake-up
/// says only that something changed, and any number of changes during a pass make one more pass.
/// </summary>
internal sealed partial class Scheduler(
    ResourceStore store, NodeRevisions revisions, InstanceStatuses instances, TimeProvider time, ILogger<Scheduler> logger) : BackgroundService
{
    private static readonly TimeSpan Resync = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan StatusInterval = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan FailurePause = TimeSpan.FromSeconds(1);

    private readonly Signal signal = new();
    private readonly HashSet<string> unreported = [];
    private readonly Dictionary<string, string> fingerprints = [];
    private FleetView view = new(store);
    private Dictionary<string, Placed> placements = [];
    private Dictionary<string, IReadOnlyList<string>>? plan;
    private Dictionary<string, IReadOnlyList<TakenPort>> takenPorts = [];
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

        unreported.UnionWith(view.TouchedWorkloads);
        unreported.UnionWith(instances.TakeChanged());
        if (view.TurnedNodes.Count > 0)
        {
            unreported.UnionWith(view.Workloads
                .Where(workload => plan![workload.Uid].Any(view.TurnedNodes.Contains))
                .Select(workload => workload.Name));
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

        foreach (var name in unreported.ToList())
        {
            await ReportAsync(name, ct);
            unreported.Remove(name);
        }

        statusesAt = time.GetTimestamp();
        return Resync;
    }

    private async Task PlaceAsync(CancellationToken ct)
    {
        var before = plan is null ? await revisions.ReadPlacementsAsync(ct) : placements;
        var next = PlacementPlan.Make(view.Workloads, [.. view.Nodes.Values], before);
        var ports = NodePorts.Of(view.Workloads, next);
        var taken = view.Workloads.ToDictionary(workload => workload.Uid, workload => PlacementPlan.TakenFrom(workload, view.Nodes.Values, next, ports));
        unreported.UnionWith(view.Workloads
            .Where(workload => plan is null
                || !next[workload.Uid].SequenceEqual(plan.GetValueOrDefault(workload.Uid) ?? [])
                || !taken[workload.Uid].SequenceEqual(takenPorts.GetValueOrDefault(workload.Uid) ?? []))
            .Select(workload => workload.Name));

        var placed = view.Nodes.Keys.ToDictionary(node => node, _ => new List<FleetWorkload>());
        foreach (var workload in view.Workloads)
        {
            foreach (var node in next[workload.Uid])
            {
                placed[node].Add(workload);
            }
        }

        await RenderAsync(placed, ct);
        var nodes = view.Nodes.Keys.ToHashSet();
        await revisions.RetainAsync(nodes, ct);
        await instances.RetainAsync(nodes, ct);
        placements = view.Workloads.ToDictionary(workload => workload.Uid, workload => new Placed(next[workload.Uid].ToHashSet(), workload.HostPorts));
        takenPorts = taken;
        plan = next;
    }

    private async Task RenderAsync(Dictionary<string, List<FleetWorkload>> placed, CancellationToken ct)
    {
        var marks = placed.ToDictionary(entry => entry.Key, entry => Fingerprint(entry.Value));
        var affected = placed.Where(entry => fingerprints.GetValueOrDefault(entry.Key) != marks[entry.Key]).ToList();
        if (affected.Count > 0)
        {
            var configs = new Dictionary<string, IReadOnlyDictionary<string, string>>();
            var secrets = new Dictionary<string, IReadOnlyDictionary<string, byte[]>>();
            foreach (var workload in affected.SelectMany(entry => entry.Value).Distinct())
            {
                foreach (var name in workload.Configs.Where(view.Configs.ContainsKey))
                {
                    configs[name] = view.Configs[name].SpecOf<ConfigSpec>().Data;
                }

                foreach (var name in workload.Secrets.Where(name => !secrets.ContainsKey(name)))
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
    private string Fingerprint(List<FleetWorkload> workloads)
    {
        var text = new StringBuilder();
        foreach (var workload in workloads.OrderBy(workload => workload.Name, StringComparer.Ordinal))
        {
            text.Append(workload.Uid).Append(':').Append(workload.Generation);
            Append(workload.Configs, view.Configs);
            Append(workload.Secrets, view.Secrets);
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

    private async Task ReportAsync(string name, CancellationToken ct)
    {
        if (view.Workload(name) is not { } workload || !plan!.TryGetValue(workload.Uid, out var placed))
        {
            return;
        }

        var facts = new WorkloadFacts(
            workload,
            placed,
            instances.Of(name),
            [
                .. workload.RequiredSecrets.Where(secret => !view.Secrets.ContainsKey(secret)).Select(secret => $"Secret '{secret}'"),
                .. workload.RequiredConfigs.Where(config => !view.Configs.ContainsKey(config)).Select(config => $"Config '{config}'"),
            ],
            view.Nodes.Values.Count(workload.Matches),
            takenPorts.GetValueOrDefault(workload.Uid) ?? []);
        await store.UpdateStatusAsync(
            ResourceKind.Workload,
            name,
            resource => resource.Metadata.Uid != workload.Uid
                ? null
                : JsonSerializer.SerializeToElement(
                    WorkloadStatuses.Of(
                        facts, view.IsOnline, resource.Status?.Deserialize(ContractsJson.Default.WorkloadStatus), time.GetUtcNow()),
                    ContractsJson.Default.WorkloadStatus),
            ct);
    }

    [LoggerMessage(LogLevel.Error, "The scheduler's pass failed and is tried again.")]
    private partial void LogFailed(Exception e);
}
