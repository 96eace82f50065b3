using System.Text.Json;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Api;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Hub.Storage;
using Microsoft.Data.Sqlite;

namespace EdgeVirt.Hub.Resources;

/// <summary>A resource as it lies in the database: what may be shown, and beside it what may not.</summary>
internal sealed record StoredResource(Resource Shown, byte[]? Sealed);

/// <summary>One entry of the change log. The labels are those from before the change; they decide what a watch by labels sees.</summary>
internal sealed record Change(WatchEventType Type, long Version, Resource Resource, IReadOnlyDictionary<string, string>? LabelsBefore);

/// <summary>The SQL of <see cref="ResourceStore"/>.</summary>
internal static class ResourceTables
{
    public static readonly IReadOnlyList<string> Migrations =
    [
        """
        CREATE TABLE resources (
          kind TEXT NOT NULL, name TEXT NOT NULL, document TEXT NOT NULL, sealed BLOB, PRIMARY KEY (kind, name));
        CREATE TABLE changes (
          version INTEGER PRIMARY KEY, type TEXT NOT NULL, kind TEXT NOT NULL, document TEXT NOT NULL, labels_before TEXT, size INTEGER NOT NULL);
        CREATE TABLE resource_version (id INTEGER PRIMARY KEY CHECK (id = 1), version INTEGER NOT NULL, trimmed INTEGER NOT NULL);
        INSERT INTO resource_version (id, version, trimmed) VALUES (1, 0, 0);
        """,
    ];

    public static long Version(SqliteConnection connection) => connection.Scalar<long>("SELECT version FROM resource_version");

    /// <summary>Newest version whose change is no longer in the log.</summary>
    public static long Trimmed(SqliteConnection connection) => connection.Scalar<long>("SELECT trimmed FROM resource_version");

    public static long NextVersion(SqliteConnection connection) =>
        connection.Scalar<long>("UPDATE resource_version SET version = version + 1 RETURNING version");

    public static StoredResource? Find(SqliteConnection connection, string kind, string name) =>
        connection.Query(
            "SELECT document, sealed FROM resources WHERE kind = $kind AND name = $name",
            row => new StoredResource(Read(row.GetString(0)), row.Optional<byte[]>(1)),
            ("$kind", kind),
            ("$name", name)) is [var found] ? found : null;

    public static List<Resource> List(SqliteConnection connection, string? kind) =>
        connection.Query(
            "SELECT document FROM resources WHERE $kind IS NULL OR kind = $kind ORDER BY kind, name", row => Read(row.GetString(0)), ("$kind", kind));

    public static void Put(SqliteConnection connection, StoredResource stored, Resource? before)
    {
        var document = Write(stored.Shown);
        connection.Execute(
            """
            INSERT INTO resources (kind, name, document, sealed) VALUES ($kind, $name, $document, $sealed)
            ON CONFLICT DO UPDATE SET document = $document, sealed = $sealed
            """,
            ("$kind", stored.Shown.Kind),
            ("$name", stored.Shown.Metadata.Name),
            ("$document", document),
            ("$sealed", stored.Sealed));
        Record(connection, before is null ? WatchEventType.Added : WatchEventType.Modified, stored.Shown, document, before);
    }

    public static void Delete(SqliteConnection connection, Resource last)
    {
        connection.Execute(
            "DELETE FROM resources WHERE kind = $kind AND name = $name", ("$kind", last.Kind), ("$name", last.Metadata.Name));
        Record(connection, WatchEventType.Deleted, last, Write(last), last);
    }

    /// <summary>Entries after <paramref name="from"/>, oldest first.</summary>
    public static List<Change> Changes(SqliteConnection connection, string? kind, long from, int limit) =>
        connection.Query(
            """
            SELECT type, version, document, labels_before FROM changes
            WHERE version > $from AND ($kind IS NULL OR kind = $kind) ORDER BY version LIMIT $limit
            """,
            row => new Change(
                Enum.Parse<WatchEventType>(row.GetString(0)),
                row.GetInt64(1),
                Read(row.GetString(2)),
                row.Optional<string>(3) is { } labels ? JsonSerializer.Deserialize(labels, HubJson.Default.DictionaryStringString) : null),
            ("$from", from),
            ("$kind", kind),
            ("$limit", limit));

    /// <summary>Forgets the oldest entries of the log, by count and by size.</summary>
    public static void Trim(SqliteConnection connection, int keptChanges, long keptBytes)
    {
        var bound = connection.Scalar<long?>(
            """
            SELECT MAX(version) FROM (
              SELECT version, ROW_NUMBER() OVER newest AS place, SUM(size) OVER newest AS bytes FROM changes WINDOW newest AS (ORDER BY version DESC))
            WHERE place > $changes OR bytes > $bytes
            """,
            ("$changes", keptChanges),
            ("$bytes", keptBytes));
        if (bound is { } version)
        {
            connection.Execute("DELETE FROM changes WHERE version <= $version", ("$version", version));
            connection.Execute("UPDATE resource_version SET trimmed = MAX(trimmed, $version)", ("$version", version));
        }
    }

    private static void Record(SqliteConnection connection, WatchEventType type, Resource resource, string document, Resource? before) =>
        connection.Execute(
            """
            INSERT INTO changes (version, type, kind, document, labels_before, size)
            VALUES ($version, $type, $kind, $document, $labels, $size)
            """,
            ("$version", resource.Metadata.ResourceVersion),
            ("$type", type.ToString()),
            ("$kind", resource.Kind),
            ("$document", document),
            ("$labels", before?.Metadata.Labels is { } labels ? JsonSerializer.Serialize(labels.ToDictionary(), HubJson.Default.DictionaryStringString) : null),
            ("$size", document.Length));

    private static string Write(Resource resource) => JsonSerializer.Serialize(resource, ContractsJson.Default.Resource);

    private static Resource Read(string document) => JsonSerializer.Deserialize(document, ContractsJson.Default.Resource)
        ?? throw new HubStorageException("A stored resource is null.");
}
