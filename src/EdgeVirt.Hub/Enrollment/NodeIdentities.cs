using System.Collections.Concurrent;
using EdgeVirt.Hub.Storage;

namespace EdgeVirt.Hub.Enrollment;

/// <summary>
/// Which keys are which nodes. Kept in the database, and whole in memory so that a TLS handshake need not wait.
/// </summary>
internal sealed class NodeIdentities
{
    private readonly HubDatabase database;
    private readonly TimeProvider time;
    private readonly ConcurrentDictionary<string, NodeIdentity> known = new();

    public NodeIdentities(HubDatabase database, TimeProvider time)
    {
        (this.database, this.time) = (database, time);
        database.Migrate("enrollment", EnrollmentTables.Migrations);
        foreach (var row in database.ReadAsync(EnrollmentTables.All, CancellationToken.None).GetAwaiter().GetResult())
        {
            Know(row);
        }
    }

    /// <summary>The node of that name, null if none enrolled. It may be revoked.</summary>
    public NodeIdentity? Find(string node) => known.GetValueOrDefault(node);

    /// <summary>
    /// Ends a node's identity, to be called when its Node resource is deleted: its certificate no longer counts and
    /// cannot be renewed, and all its connections are cut at once. A new claim lets the board come back.
    /// </summary>
    /// <returns>False if there was no such identity or it was revoked already.</returns>
    public async Task<bool> RevokeAsync(string node, string reason, CancellationToken ct)
    {
        var revoked = await database.WriteAsync(
            (connection, _) => EnrollmentTables.Revoke(connection, node, reason, time.GetUtcNow()), ct);
        Find(node)?.Revoke();
        return revoked;
    }

    /// <summary>Takes over what a transaction wrote. Connections of the identity that it replaces end.</summary>
    internal void Know(IdentityRow row)
    {
        var identity = new NodeIdentity(row.Node, row.KeyHash);
        if (row.Revoked)
        {
            identity.Revoke();
        }

        NodeIdentity? former = null;
        known.AddOrUpdate(row.Node, identity, (_, before) =>
        {
            former = before;
            return before.KeyHash.Span.SequenceEqual(row.KeyHash) && !before.Revoked.IsCancellationRequested && !row.Revoked ? before : identity;
        });
        if (former is not null && Find(row.Node) != former)
        {
            former.Revoke();
        }
    }
}
