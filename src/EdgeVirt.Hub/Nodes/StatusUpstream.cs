using System.Collections.Concurrent;
using System.Text.Json;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Protos;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Hub.Broker;
using EdgeVirt.Hub.Scheduling;

namespace EdgeVirt.Hub.Nodes;

/// <summary>
/// Status reports: all of one is read before any of it is applied. Within an agent's run the newest sequence wins;
/// another run replaces the one before it, and a run that was replaced does not come back.
/// </summary>
internal sealed class StatusUpstream(InstanceStatuses instances, NodeStatusWriter nodes, NodePokes pokes) : IUpstream
{
    private const int MaxFormerRuns = 8;

    private readonly ConcurrentDictionary<string, Run> runs = new();

    public TopicChannel Channel => TopicChannel.Status;

    public async Task AcceptAsync(NodeConnection connection, ReadOnlyMemory<byte> payload, CancellationToken ct)
    {
        var node = connection.Node;
        var report = StatusReport.Parser.ParseFrom(payload.Span);
        if (report.RunId.Length is 0 or > 64)
        {
            throw new PayloadRefusedException("the report has no run id of 1 to 64 characters");
        }

        var (self, placed) = Read(report);
        var run = runs.GetOrAdd(node, _ => new Run());
        await run.Gate.WaitAsync(ct);
        try
        {
            if (run.IsOld(report))
            {
                return;
            }

            var mayMiss = run.MayMissSomething(report);
            if (self is not null)
            {
                await nodes.ReportedAsync(node, self, ct);
            }

            if (report.Full || placed.Count > 0)
            {
                await instances.ReportAsync(node, report.Full, placed, ct);
            }

            run.Applied(report, MaxFormerRuns);
            if (mayMiss)
            {
                await pokes.PokeAsync(node, PokeReason.FullStatus);
            }
        }
        finally
        {
            run.Gate.Release();
        }
    }

    private static (NodeStatus? Self, List<InstanceReport> Placed) Read(StatusReport report)
    {
        NodeStatus? self = null;
        var placed = new List<InstanceReport>();
        foreach (var item in report.Objects)
        {
            try
            {
                if (item.Kind == ResourceKind.Node.Name)
                {
                    self = JsonSerializer.Deserialize(item.StatusJson.Span, ContractsJson.Default.NodeStatus);
                }
                else if (PlacedKind.Find(item.Kind) is not { } kind || !ResourceName.IsValid(item.Name))
                {
                    throw new PayloadRefusedException("the report is about an object that is neither the node nor placed on it");
                }
                else
                {
                    placed.Add(new InstanceReport(new PlacedKey(item.Kind, item.Name), item.Uid, item.Removed ? null : kind.ReadInstance(item.StatusJson.Span)));
                }
            }
            catch (JsonException e)
            {
                throw new PayloadRefusedException($"the status of {(item.Kind == ResourceKind.Node.Name ? "the node" : $"a {PlacedKind.Of(item.Kind).Word}")} cannot be read: {e.Message}");
            }
        }

        return (self, placed);
    }

    private sealed class Run
    {
        private readonly Queue<string> former = new();
        private string id = "";
        private ulong sequence;

        public SemaphoreSlim Gate { get; } = new(1);

        public bool IsOld(StatusReport report) => former.Contains(report.RunId) || (report.RunId == id && report.Sequence <= sequence);

        /// <summary>A delta to something that the hub may not have: the first after a start of either, or after a hole.</summary>
        public bool MayMissSomething(StatusReport report) => !report.Full && (report.RunId != id || report.Sequence > sequence + 1);

        public void Applied(StatusReport report, int keep)
        {
            if (id.Length > 0 && id != report.RunId)
            {
                former.Enqueue(id);
                if (former.Count > keep)
                {
                    former.Dequeue();
                }
            }

            (id, sequence) = (report.RunId, report.Sequence);
        }
    }
}
