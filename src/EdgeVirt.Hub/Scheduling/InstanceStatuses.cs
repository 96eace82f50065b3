using System.Text.Json;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Hub.Storage;
using Microsoft.Data.Sqlite;

namespace EdgeVirt.Hub.Scheduling;

/// <summary>What a node says about one workload.</summary>
/// <param name="Workload">The workload's name.</param>
/// <param name="Uid">Uid of the resource that the node acted on.</param>
/// <param name="Status">What it says; null: the workload is gone from the node.</param>
internal sealed record InstanceReport(string Workload, string Uid, WorkloadInstanceStatus? Status);

/// <summary>What nodes report about workloads, kept across restarts of the hub. <see cref="Scheduler"/> makes Workload statuses of it.</summary>
internal sealed class InstanceStatuses
{
    private readonly HubDatabase database;
    private readonly Lock gate = new();
    private readonly Dictionary<string, Dictionary<string, InstanceReport>> byWorkload = [];
    private readonly HashSet<string> changed = [];
    private Action? wake;

    public InstanceStatuses(HubDatabase database)
    {
        this.database = database;
        database.Migrate("instance-statuses",
        [
            """
            CREATE TABLE instance_statuses (
              node TEXT NOT NULL, workload TEXT NOT NULL, uid TEXT NOT NULL, status TEXT NOT NULL, PRIMARY KEY (node, workload)) WITHOUT ROWID
            """,
        ]);
        foreach (var (node, report) in database.ReadAsync(ReadAll, CancellationToken.None).GetAwaiter().GetResult())
        {
            Remember(node, report);
        }
    }

    /// <summary>Takes a node's report; ends when it is on the disk.</summary>
    /// <param name="node">The node that its certificate names.</param>
    /// <param name="full">The reports are all that the node has: what they do not mention is gone.</param>
    /// <param name="reports">One per workload.</param>
    public async Task ReportAsync(string node, bool full, IReadOnlyList<InstanceReport> reports, CancellationToken ct)
    {
        // A node speaks for itself only, whatever name it writes.
        var own = reports.Select(report => report with { Status = report.Status is { } status ? status with { Node = node } : null }).ToList();
        await database.WriteAsync(
            (connection, _) =>
            {
                if (full)
                {
                    connection.Execute("DELETE FROM instance_statuses WHERE node = $node", ("$node", node));
                }

                return own.Sum(report => Store(connection, node, report));
            },
            ct);
        lock (gate)
        {
            if (full)
            {
                Forget(node);
            }

            foreach (var report in own)
            {
                Remember(node, report);
                changed.Add(report.Workload);
            }
        }

        wake?.Invoke();
    }

    /// <summary>Forgets all nodes but <paramref name="nodes"/>.</summary>
    public async Task RetainAsync(IReadOnlySet<string> nodes, CancellationToken ct)
    {
        List<string> gone;
        lock (gate)
        {
            gone = [.. byWorkload.Values.SelectMany(reports => reports.Keys).Distinct().Where(node => !nodes.Contains(node))];
        }

        if (gone.Count == 0)
        {
            return;
        }

        await database.WriteAsync(
            (connection, _) => gone.Sum(node => connection.Execute("DELETE FROM instance_statuses WHERE node = $node", ("$node", node))), ct);
        lock (gate)
        {
            gone.ForEach(Forget);
        }
    }

    /// <summary>Reports about a workload by node.</summary>
    public IReadOnlyDictionary<string, InstanceReport> Of(string workload)
    {
        lock (gate)
        {
            return byWorkload.TryGetValue(workload, out var reports) ? new Dictionary<string, InstanceReport>(reports) : [];
        }
    }

    /// <summary>Workloads about which something was reported since the last call.</summary>
    public IReadOnlyList<string> TakeChanged()
    {
        lock (gate)
        {
            string[] taken = [.. changed];
            changed.Clear();
            return taken;
        }
    }

    /// <summary>For the scheduler alone.</summary>
    public void WakeOnChange(Action action) => wake = action;

    private static List<(string Node, InstanceReport Report)> ReadAll(SqliteConnection connection) =>
        connection.Query(
            "SELECT node, workload, uid, status FROM instance_statuses",
            row => (row.GetString(0), new InstanceReport(
                row.GetString(1), row.GetString(2), JsonSerializer.Deserialize(row.GetString(3), ContractsJson.Default.WorkloadInstanceStatus))));

    private static int Store(SqliteConnection connection, string node, InstanceReport report) =>
        report.Status is { } status
            ? connection.Execute(
                """
                INSERT INTO instance_statuses (node, workload, uid, status) VALUES ($node, $workload, $uid, $status)
                ON CONFLICT DO UPDATE SET uid = $uid, status = $status
                """,
                ("$node", node),
                ("$workload", report.Workload),
                ("$uid", report.Uid),
                ("$status", JsonSerializer.Serialize(status, ContractsJson.Default.WorkloadInstanceStatus)))
            : connection.Execute(
                "DELETE FROM instance_statuses WHERE node = $node AND workload = $workload AND uid = $uid",
                ("$node", node),
                ("$workload", report.Workload),
                ("$uid", report.Uid));

    private void Remember(string node, InstanceReport report)
    {
        if (report.Status is not null)
        {
            if (!byWorkload.TryGetValue(report.Workload, out var reports))
            {
                byWorkload[report.Workload] = reports = [];
            }

            reports[node] = report;
        }
        else if (byWorkload.TryGetValue(report.Workload, out var reports) && reports.GetValueOrDefault(node)?.Uid == report.Uid)
        {
            reports.Remove(node);
            if (reports.Count == 0)
            {
                byWorkload.Remove(report.Workload);
            }
        }
    }

    private void Forget(string node)
    {
        foreach (var (workload, reports) in byWorkload.ToList())
        {
            if (reports.Remove(node))
            {
                changed.Add(workload);
            }

            if (reports.Count == 0)
            {
                byWorkload.Remove(workload);
            }
        }
    }
}
