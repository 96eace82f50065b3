using System.Text.Json;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Api;
using EdgeVirt.Contracts.Manifests;
using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Cli.Output;

/// <summary>The table of one kind: its columns, and how a resource fills them.</summary>
internal sealed class KindTables
{
    private readonly TableView table;
    private readonly Func<Resource, DateTimeOffset, Cell[]> row;
    private bool written;

    private KindTables(Func<Resource, DateTimeOffset, Cell[]> row, params string[] headers)
    {
        this.row = row;
        table = new TableView(headers);
    }

    public static KindTables Of(ResourceKind kind) => kind.Name switch
    {
        "Workload" => new KindTables(WorkloadRow, "NAME", "READY", "NODES", "AGE", "REASON"),
        "VirtualMachine" => new KindTables(MachineRow, "NAME", "READY", "NODES", "STATE", "ACCELERATED", "AGE", "REASON"),
        "Node" => new KindTables(NodeRow, "NAME", "STATUS", "ARCH", "VERSION", "LAST SEEN", "ADDRESS"),
        "BoardClaim" => new KindTables(ClaimRow, "NAME", "USES", "EXPIRES", "AGE"),
        "Secret" => new KindTables((one, now) => DataRow(one, Redaction.KeysOf(one), now), "NAME", "KEYS", "AGE"),
        "Config" => new KindTables((one, now) => DataRow(one, [.. one.SpecOf<ConfigSpec>().Data.Keys.Order(StringComparer.Ordinal)], now), "NAME", "KEYS", "AGE"),
        _ => new KindTables((one, now) => [one.Metadata.Name, Age(one, now)], "NAME", "AGE"),
    };

    public void Write(Terminal terminal, IReadOnlyList<Resource> resources)
    {
        foreach (var resource in resources)
        {
            table.Add(row(resource, terminal.Now));
        }

        table.Write(terminal);
        written = true;
    }

    /// <summary>One more row, for a resource that changed.</summary>
    public void WriteChange(Terminal terminal, WatchEventType type, Resource resource)
    {
        var cells = row(resource, terminal.Now);
        if (type == WatchEventType.Deleted)
        {
            cells[^1] = new Cell("deleted", Tone.Bad);
        }

        table.Add(cells);
        if (written)
        {
            table.WriteMore(terminal);
        }
        else
        {
            table.Write(terminal);
            written = true;
        }
    }

    /// <summary>The status in its record, null if there is none yet.</summary>
    public static WorkloadStatus? StatusOf(Resource workload) => workload.Status?.Deserialize(ContractsJson.Default.WorkloadStatus);

    /// <summary>The status of what is placed on nodes, whatever its kind; null if there is none yet.</summary>
    public static PlacedStatus? PlacedStatusOf(Resource resource) => resource.Kind == ResourceKind.VirtualMachine.Name
        ? resource.Status?.Deserialize(ContractsJson.Default.VirtualMachineStatus)
        : StatusOf(resource);

    /// <summary>A reason and what it means for the eye.</summary>
    public static Cell Reason(Condition? condition) => condition is null ? new Cell("Pending", Tone.Warning)
        : new Cell(condition.Reason, condition.Status == ConditionStatus.True ? Tone.Good : IsBad(condition.Reason) ? Tone.Bad : Tone.Warning);

    private static bool IsBad(string reason) => reason is ReadyReasons.Failed or ReadyReasons.ImagePullFailed or ReadyReasons.ImageRefused
        or ReadyReasons.StartFailed or ReadyReasons.FailedPostStartHook or ReadyReasons.ReferenceMissing or ReadyReasons.NodeOffline or ReadyReasons.NoMatchingNode
        or ReadyReasons.WorkloadMissing or ReadyReasons.StartCircle or ReadyReasons.PortTaken or ReadyReasons.PullBudgetExceeded or ReadyReasons.UplinkCostExceeded or ReadyReasons.DeltaUnavailable
        or ReadyReasons.AgentTooOld or ReadyReasons.CapabilityMissing or ReadyReasons.DeviceInUse or ReadyReasons.DeviceRefused or ReadyReasons.TpmMissing or ReadyReasons.WatchdogExpired;

    private static Cell[] WorkloadRow(Resource workload, DateTimeOffset now)
    {
        var status = StatusOf(workload);
        return [workload.Metadata.Name, Ready(status), Nodes(status), Age(workload, now), Reason(status?.Conditions.FirstOrDefault(one => one.Type == ConditionTypes.Ready))];
    }

    private static Cell[] MachineRow(Resource machine, DateTimeOffset now)
    {
        var status = (VirtualMachineStatus?)PlacedStatusOf(machine);
        return
        [
            machine.Metadata.Name,
            Ready(status),
            Nodes(status),
            Some([.. (status?.Instances ?? []).Select(instance => instance.State.ToString()).Distinct()]),
            Accelerated(status?.Conditions.FirstOrDefault(one => one.Type == ConditionTypes.Accelerated)),
            Age(machine, now),
            Reason(status?.Conditions.FirstOrDefault(one => one.Type == ConditionTypes.Ready)),
        ];
    }

    private static Cell Ready(PlacedStatus? status) => new(
        $"{status?.ReadyInstances ?? 0}/{status?.DesiredInstances ?? 0}",
        status is { DesiredInstances: > 0 } && status.ReadyInstances >= status.DesiredInstances ? Tone.Good : Tone.Warning);

    private static Cell Nodes(PlacedStatus? status) => Some([.. status?.OnNodes.Select(instance => instance.Node) ?? []]);

    private static Cell Accelerated(Condition? condition) => condition?.Status switch
    {
        ConditionStatus.True => new Cell("yes", Tone.Good),
        ConditionStatus.False => new Cell("no", Tone.Warning),
        _ => "-",
    };

    private static Cell[] NodeRow(Resource node, DateTimeOffset now)
    {
        var status = node.Status?.Deserialize(ContractsJson.Default.NodeStatus);
        var ready = status?.Conditions.FirstOrDefault(one => one.Type == ConditionTypes.Ready);
        var held = node.SpecOf<NodeSpec>().Unschedulable ? ",Unschedulable" : "";
        var word = ready is null ? new Cell(ReadyReasons.NeverSeen, Tone.Warning) : Reason(ready);
        return
        [
            node.Metadata.Name,
            word with { Text = word.Text + held },
            status?.Architecture,
            status?.AgentVersion?.Split('+')[0],
            status?.LastSeen is { } seen ? $"{Durations.Age(seen, now)} ago" : "-",
            status?.Addresses is [var address, ..] ? address : null,
        ];
    }

    private static Cell[] ClaimRow(Resource claim, DateTimeOffset now)
    {
        var spec = claim.SpecOf<BoardClaimSpec>();
        var uses = claim.Status?.Deserialize(ContractsJson.Default.BoardClaimStatus)?.Uses ?? 0;
        var ends = spec.ExpiresAt ?? claim.Metadata.CreationTimestamp + TimeSpan.FromHours(24);
        return
        [
            claim.Metadata.Name,
            new Cell($"{uses}/{spec.MaxUses}", uses >= spec.MaxUses ? Tone.Faint : Tone.Good),
            spec.Revoked ? new Cell("revoked", Tone.Bad)
                : ends is null ? "-"
                : ends <= now ? new Cell($"{Durations.Format(now - ends.Value)} ago", Tone.Bad)
                : $"in {Durations.Format(ends.Value - now)}",
            Age(claim, now),
        ];
    }

    private static Cell[] DataRow(Resource resource, IReadOnlyList<string> keys, DateTimeOffset now) => [resource.Metadata.Name, Some(keys), Age(resource, now)];

    private static Cell Age(Resource resource, DateTimeOffset now) => Durations.Age(resource.Metadata.CreationTimestamp, now);

    /// <summary>The first three, and how many more there are.</summary>
    private static Cell Some(IReadOnlyList<string> names) =>
        names.Count <= 4 ? string.Join(",", names) : $"{string.Join(",", names.Take(3))},+{names.Count - 3}";
}
