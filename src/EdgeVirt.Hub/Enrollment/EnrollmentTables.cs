using EdgeVirt.Hub.Storage;
using Microsoft.Data.Sqlite;

namespace EdgeVirt.Hub.Enrollment;

/// <summary>A row of <c>node_identities</c>: which key is which node, and by which claim it became one.</summary>
internal sealed record IdentityRow(string Node, byte[] KeyHash, string ClaimUid, bool Revoked);

/// <summary>A row of <c>claim_tokens</c>. Uses are counted per claim, also across tokens that replaced each other.</summary>
internal sealed record TokenRow(byte[] SecretHash, long Uses);

/// <summary>The SQL of enrollment.</summary>
internal static class EnrollmentTables
{
    public static readonly IReadOnlyList<string> Migrations =
    [
        """
        CREATE TABLE claim_tokens (claim_uid TEXT PRIMARY KEY, secret_hash BLOB NOT NULL, uses INTEGER NOT NULL) WITHOUT ROWID;
        CREATE TABLE node_identities (
          node TEXT PRIMARY KEY, key_hash BLOB NOT NULL UNIQUE, claim_uid TEXT NOT NULL, enrolled_at INTEGER NOT NULL,
          resource_made INTEGER NOT NULL DEFAULT 0, revoked_at INTEGER, revoked_reason TEXT) WITHOUT ROWID;
        """,
    ];

    private const string IdentityColumns = "node, key_hash, claim_uid, revoked_at IS NOT NULL";

    public static List<IdentityRow> All(SqliteConnection connection) =>
        connection.Query($"SELECT {IdentityColumns} FROM node_identities", Identity);

    public static IdentityRow? ByNode(SqliteConnection connection, string node) =>
        connection.Query($"SELECT {IdentityColumns} FROM node_identities WHERE node = $node", Identity, ("$node", node)) is [var row] ? row : null;

    public static IdentityRow? ByKey(SqliteConnection connection, byte[] keyHash) =>
        connection.Query($"SELECT {IdentityColumns} FROM node_identities WHERE key_hash = $key", Identity, ("$key", keyHash)) is [var row] ? row : null;

    public static void Put(SqliteConnection connection, IdentityRow identity, DateTimeOffset now)
    {
        // A name or a key that was revoked makes room for the enrollment that a new claim allowed.
        connection.Execute(
            "DELETE FROM node_identities WHERE node = $node OR key_hash = $key", ("$node", identity.Node), ("$key", identity.KeyHash));
        connection.Execute(
            "INSERT INTO node_identities (node, key_hash, claim_uid, enrolled_at) VALUES ($node, $key, $claim, $now)",
            ("$node", identity.Node),
            ("$key", identity.KeyHash),
            ("$claim", identity.ClaimUid),
            ("$now", now.ToUnixTimeMilliseconds()));
    }

    /// <summary>Notes that the Node resource of an identity exists: from now on its absence means that it was deleted.</summary>
    public static void ResourceMade(SqliteConnection connection, string node) =>
        connection.Execute("UPDATE node_identities SET resource_made = 1 WHERE node = $node", ("$node", node));

    /// <summary>Nodes that are in force and had a resource at some time.</summary>
    public static List<string> WithResource(SqliteConnection connection) =>
        connection.Query("SELECT node FROM node_identities WHERE resource_made = 1 AND revoked_at IS NULL", row => row.GetString(0));

    public static bool Revoke(SqliteConnection connection, string node, string reason, DateTimeOffset now) =>
        connection.Execute(
            "UPDATE node_identities SET revoked_at = $now, revoked_reason = $reason WHERE node = $node AND revoked_at IS NULL",
            ("$node", node),
            ("$reason", reason),
            ("$now", now.ToUnixTimeMilliseconds())) > 0;

    public static TokenRow? Token(SqliteConnection connection, string claimUid) =>
        connection.Query(
            "SELECT secret_hash, uses FROM claim_tokens WHERE claim_uid = $claim",
            row => new TokenRow(row.GetFieldValue<byte[]>(0), row.GetInt64(1)),
            ("$claim", claimUid)) is [var token] ? token : null;

    public static void PutToken(SqliteConnection connection, string claimUid, byte[] secretHash) =>
        connection.Execute(
            """
            INSERT INTO claim_tokens (claim_uid, secret_hash, uses) VALUES ($claim, $hash, 0)
            ON CONFLICT DO UPDATE SET secret_hash = $hash
            """,
            ("$claim", claimUid),
            ("$hash", secretHash));

    public static long CountUse(SqliteConnection connection, string claimUid) =>
        connection.Scalar<long>("UPDATE claim_tokens SET uses = uses + 1 WHERE claim_uid = $claim RETURNING uses", ("$claim", claimUid));

    private static IdentityRow Identity(SqliteDataReader row) =>
        new(row.GetString(0), row.GetFieldValue<byte[]>(1), row.GetString(2), row.GetBoolean(3));
}
