using System.Text.Json;
using EdgeVirt.Contracts;
using EdgeVirt.Hub.Storage;
using Microsoft.Data.Sqlite;

namespace EdgeVirt.Hub.Scheduling;

/// <summary>The newest document of a node.</summary>
/// <param name="Revision">Rises by one whenever the document's bytes change.</param>
/// <param name="Digest">SHA-256 of <paramref name="Document"/>.</param>
/// <param name="Document">Bytes of a <see cref="NodeDocument"/>. Confidential.</param>
internal sealed record NodeRevision(long Revision, byte[] Digest, byte[] Document);

/// <summary>A document that the scheduler made, and what is placed by it.</summary>
internal sealed record RenderedNode(string Node, byte[] Document, IReadOnlyCollection<Placeable> Items);

/// <summary>
/// The newest document of each node, encrypted at rest. Only <see cref="Scheduler"/> stores; sessions read. The
/// revision of a node's name never falls, not even when the node is deleted and enrolls again.
/// </summary>
internal sealed class NodeRevisions
{
    private readonly HubDatabase database;
    private readonly SecretsKey key;
    private readonly Lock subscribing = new();
    private Action<string>[] subscribers = [];

    public NodeRevisions(HubDatabase database, SecretsKey key)
    {
        (this.database, this.key) = (database, key);
        database.Migrate("node-documents",
        [
            """
            CREATE TABLE node_documents (
              node TEXT PRIMARY KEY, revision INTEGER NOT NULL, digest BLOB, document BLOB, workloads TEXT NOT NULL)
            """,
            "ALTER TABLE node_documents ADD COLUMN ports TEXT NOT NULL DEFAULT '{}'",
        ]);
    }

    /// <summary>The newest revision, null as long as none was made: shortly after enrollment, or for a name that is no node.</summary>
    public Task<NodeRevision?> GetAsync(string node, CancellationToken ct) =>
        database.ReadAsync(
            connection => connection.Query(
                "SELECT revision, digest, document FROM node_documents WHERE node = $node AND document IS NOT NULL",
                row => new NodeRevision(
                    row.GetInt64(0), row.GetFieldValue<byte[]>(1), key.Unseal(row.GetFieldValue<byte[]>(2), $"NodeDocument/{node}")),
                ("$node", node)) is [var found] ? found : null,
            ct);

    /// <summary>Calls <paramref name="changed"/> with the node's name after its revision rose, until disposed. It must be quick and must not throw.</summary>
    public IDisposable Subscribe(Action<string> changed)
    {
        lock (subscribing)
        {
            subscribers = [.. subscribers, changed];
        }

        return new Subscription(this, changed);
    }

    /// <summary>What the documents hold, by the uid of the resource.</summary>
    public Task<Dictionary<string, Placed>> ReadPlacementsAsync(CancellationToken ct) =>
        database.ReadAsync(
            connection => connection
                .Query(
                    "SELECT node, workloads, ports FROM node_documents WHERE document IS NOT NULL",
                    row => (
                        Node: row.GetString(0),
                        Workloads: JsonSerializer.Deserialize(row.GetString(1), HubJson.Default.StringArray) ?? [],
                        Ports: JsonSerializer.Deserialize(row.GetString(2), HubJson.Default.DictionaryStringString) ?? []))
                .SelectMany(row => row.Workloads.Select(uid => (row.Node, Uid: uid, Ports: row.Ports.GetValueOrDefault(uid, ""))))
                .GroupBy(one => one.Uid)
                .ToDictionary(group => group.Key, group => new Placed(group.Select(one => one.Node).ToHashSet(), ReadPorts(group.First().Ports))),
            ct);

    /// <summary>Stores documents in one transaction; those that are as before keep their revision.</summary>
    public async Task StoreAsync(IReadOnlyCollection<RenderedNode> rendered, CancellationToken ct)
    {
        if (rendered.Count == 0)
        {
            return;
        }

        var changed = await database.WriteAsync((connection, _) => rendered.Where(node => Store(connection, node)).ToList(), ct);
        foreach (var node in changed)
        {
            foreach (var subscriber in Volatile.Read(ref subscribers))
            {
                subscriber(node.Node);
            }
        }
    }

    /// <summary>Drops the documents of all nodes but <paramref name="nodes"/>.</summary>
    public Task RetainAsync(IReadOnlySet<string> nodes, CancellationToken ct) =>
        database.WriteAsync(
            (connection, _) => connection
                .Query("SELECT node FROM node_documents WHERE document IS NOT NULL", row => row.GetString(0))
                .Where(node => !nodes.Contains(node))
                .Sum(node => connection.Execute(
                    "UPDATE node_documents SET digest = NULL, document = NULL, workloads = '[]' WHERE node = $node", ("$node", node))),
            ct);

    private bool Store(SqliteConnection connection, RenderedNode rendered)
    {
        var digest = NodeDocument.DigestOf(rendered.Document);
        var known = connection.Scalar<byte[]>("SELECT digest FROM node_documents WHERE node = $node", ("$node", rendered.Node));
        if (known is not null && digest.AsSpan().SequenceEqual(known))
        {
            return false;
        }

        connection.Execute(
            """
            INSERT INTO node_documents (node, revision, digest, document, workloads, ports) VALUES ($node, 1, $digest, $document, $workloads, $ports)
            ON CONFLICT DO UPDATE SET revision = revision + 1, digest = $digest, document = $document, workloads = $workloads, ports = $ports
            """,
            ("$node", rendered.Node),
            ("$digest", digest),
            ("$document", key.Seal(rendered.Document, $"NodeDocument/{rendered.Node}")),
            ("$workloads", JsonSerializer.Serialize(
                [.. rendered.Items.Select(item => item.Uid).Order(StringComparer.Ordinal)], HubJson.Default.StringArray)),
            ("$ports", JsonSerializer.Serialize(
                rendered.Items.Where(item => item.HostPorts.Count > 0).ToDictionary(item => item.Uid, item => string.Join(' ', item.HostPorts)),
                HubJson.Default.DictionaryStringString)));
        return true;
    }

    private static HashSet<HostPort> ReadPorts(string text) =>
        text.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(HostPort.Parse).ToHashSet();

    private sealed class Subscription(NodeRevisions revisions, Action<string> changed) : IDisposable
    {
        public void Dispose()
        {
            lock (revisions.subscribing)
            {
                var index = Array.IndexOf(revisions.subscribers, changed);
                revisions.subscribers = index < 0 ? revisions.subscribers : [.. revisions.subscribers[..index], .. revisions.subscribers[(index + 1)..]];
            }
        }
    }
}
