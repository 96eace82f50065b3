using System.Text;
using System.Text.Json;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Hub.Storage;
using Microsoft.Data.Sqlite;

namespace EdgeVirt.Hub.Scheduling;

/// <summary>What a node says about one resource that is placed on it.</summary>
/// <param name="Item">Which.</param>
/// <param name="Uid">Uid of the resource that the node acted on.</param>
/// <param name="Status">What it says; null: it is gone from the node.</param>
internal sealed record InstanceReport(PlacedKey Item, string Uid, InstanceStatus? Status);

/// <summary>What nodes report about what is placed on them, kept across restarts of the hub. <see cref="Scheduler"/> makes statuses of it.</summary>
internal sealed class InstanceStatuses
{
    private readonly HubDatabase database;
    private readonly Lock gate = new();
    private readonly Dictionary<PlacedKey, Dictionary<string, InstanceReport>> byItem = [];
    private readonly HashSet<PlacedKey> changed = [];
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
            """
            CREATE TABLE instance_reports (
              node TEXT NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL, uid TEXT NOT NULL, status TEXT NOT NULL, PRIMARY KEY (node, kind, name)) WITHOUT ROWID;
            INSERT INTO instance_reports (node, kind, name, uid, status) SELECT node, 'Workload', workload, uid, status FROM instance_statuses;
            DROP TABLE instance_statuses;
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
    /// <param name="reports">One per resource.</param>
    public async Task ReportAsync(string node, bool full, IReadOnlyList<InstanceReport> reports, CancellationToken ct)
    {
        // A node speaks for itself only, whatever name it writes.
        var own = reports.Select(report => report with { Status = report.Status is { } status ? status with { Node = node } : null }).ToList();
        await database.WriteAsync(
            (connection, _) =>
            {
                if (full)
                {
                    connection.Execute("DELETE FROM instance_reports WHERE node = $node", ("$node", node));
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
                changed.Add(report.Item);
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
            gone = [.. byItem.Values.SelectMany(reports => reports.Keys).Distinct().Where(node => !nodes.Contains(node))];
        }

        if (gone.Count == 0)
        {
            return;
        }

        await database.WriteAsync(
            (connection, _) => gone.Sum(node => connection.Execute("DELETE FROM instance_reports WHERE node = $node", ("$node", node))), ct);
        lock (gate)
        {
            gone.ForEach(Forget);
        }
    }

    /// <summary>Reports about a resource by node.</summary>
    public IReadOnlyDictionary<string, InstanceReport> Of(PlacedKey item)
    {
        lock (gate)
        {
            return byItem.TryGetValue(item, out var reports) ? new Dictionary<string, InstanceReport>(reports) : [];
        }
    }

    /// <summary>Resources about which something was reported since the last call.</summary>
    public IReadOnlyList<PlacedKey> TakeChanged()
    {
        lock (gate)
        {
            PlacedKey[] taken = [.. changed];
            changed.Clear();
            return taken;
        }
    }

    /// <summary>For the scheduler alone.</summary>
    public void WakeOnChange(Action action) => wake = action;

    private static List<(string Node, InstanceReport Report)> ReadAll(SqliteConnection connection) =>
        connection.Query(
            "SELECT node, kind, name, uid, status FROM instance_reports",
            row => (row.GetString(0), new InstanceReport(
                new PlacedKey(row.GetString(1), row.GetString(2)), row.GetString(3), PlacedKind.Of(row.GetString(1)).ReadInstance(Encoding.UTF8.GetBytes(row.GetString(4))))));

    private static int Store(SqliteConnection connection, string node, InstanceReport report) =>
        report.Status is { } status
            ? connection.Execute(
                """
                INSERT INTO instance_reports (node, kind, name, uid, status) VALUES ($node, $kind, $name, $uid, $status)
                ON CONFLICT DO UPDATE SET uid = $uid, status = $status
                """,
                ("$node", node),
                ("$kind", report.Item.Kind),
                ("$name", report.Item.Name),
                ("$uid", report.Uid),
                ("$status", JsonSerializer.Serialize(status, PlacedKind.Of(report.Item.Kind).InstanceType)))
            : connection.Execute(
                "DELETE FROM instance_reports WHERE node = $node AND kind = $kind AND name = $name AND uid = $uid",
                ("$node", node),
                ("$kind", report.Item.Kind),
                ("$name", report.Item.Name),
                ("$uid", report.Uid));

    private void Remember(string node, InstanceReport report)
    {
        if (report.Status is not null)
        {
            if (!byItem.TryGetValue(report.Item, out var reports))
            {
                byItem[report.Item] = reports = [];
            }

            reports[node] = report;
        }
        else if (byItem.TryGetValue(report.Item, out var reports) && reports.GetValueOrDefault(node)?.Uid == report.Uid)
        {
            reports.Remove(node);
            if (reports.Count == 0)
            {
                byItem.Remove(report.Item);
            }
        }
    }

    private void Forget(string node)
    {
        foreach (var (item, reports) in byItem.ToList())
        {
            if (reports.Remove(node))
            {
                changed.Add(item);
            }

            if (reports.Count == 0)
            {
                byItem.Remove(item);
            }
        }
    }
}
