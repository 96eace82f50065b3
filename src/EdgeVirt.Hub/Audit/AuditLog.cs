using EdgeVirt.Contracts.Api;
using EdgeVirt.Hub.Storage;
using Microsoft.Data.Sqlite;

namespace EdgeVirt.Hub.Audit;

/// <summary>
/// Who did or tried what, for people: changes through the API, enrollments, refusals. Kept in the database (the
/// newest <see cref="Kept"/> entries) and written to the log. Never give it a secret.
/// </summary>
internal sealed partial class AuditLog
{
    /// <summary>How many entries are kept.</summary>
    public const int Kept = 100_000;

    private const int MaxText = 1024;
    private const int TrimEvery = 256;

    private readonly HubDatabase database;
    private readonly TimeProvider time;
    private readonly ILogger<AuditLog> logger;

    public AuditLog(HubDatabase database, TimeProvider time, ILogger<AuditLog> logger)
    {
        (this.database, this.time, this.logger) = (database, time, logger);
        database.Migrate("audit",
        [
            """
            CREATE TABLE audit (
              id INTEGER PRIMARY KEY AUTOINCREMENT, time INTEGER NOT NULL,
              actor TEXT NOT NULL, action TEXT NOT NULL, outcome TEXT NOT NULL, reason TEXT NOT NULL)
            """,
        ]);
    }

    /// <summary>Adds an entry; ends when it is on the disk.</summary>
    /// <param name="actor">A token's name, <c>node/&lt;name&gt;</c>, or an address.</param>
    /// <param name="action">What was tried, e.g. <c>enroll</c> or <c>apply</c>.</param>
    /// <param name="ok">Whether it was done.</param>
    /// <param name="reason">Why it was refused, or what came of it.</param>
    public async Task WriteAsync(string actor, string action, bool ok, string reason, CancellationToken ct)
    {
        var entry = Entry(actor, action, ok, reason);
        Tell(entry);
        await database.WriteAsync((connection, _) => Insert(connection, entry), ct);
    }

    /// <summary>
    /// Adds an entry about a change in the transaction that makes the change, so that there is none without the other.
    /// <see cref="Tell"/> writes it to the log once that is committed.
    /// </summary>
    public AuditEntry Put(SqliteConnection connection, string actor, string action, string reason)
    {
        var entry = Entry(actor, action, ok: true, reason);
        Insert(connection, entry);
        return entry;
    }

    /// <summary>Writes an entry to the log.</summary>
    public void Tell(AuditEntry entry) => LogEntry(entry.Actor, entry.Action, entry.Outcome, entry.Reason);

    /// <summary>Newest first.</summary>
    public Task<IReadOnlyList<AuditEntry>> ReadAsync(int limit, CancellationToken ct) =>
        database.ReadAsync<IReadOnlyList<AuditEntry>>(
            connection => connection.Query(
                "SELECT time, actor, action, outcome, reason FROM audit ORDER BY id DESC LIMIT $limit",
                row => new AuditEntry(
                    DateTimeOffset.FromUnixTimeMilliseconds(row.GetInt64(0)), row.GetString(1), row.GetString(2), row.GetString(3), row.GetString(4)),
                ("$limit", limit)),
            ct);

    private static int Insert(SqliteConnection connection, AuditEntry entry)
    {
        connection.Execute(
            "INSERT INTO audit (time, actor, action, outcome, reason) VALUES ($time, $actor, $action, $outcome, $reason)",
            ("$time", entry.Time.ToUnixTimeMilliseconds()),
            ("$actor", entry.Actor),
            ("$action", entry.Action),
            ("$outcome", entry.Outcome),
            ("$reason", entry.Reason));
        var id = connection.Scalar<long>("SELECT last_insert_rowid()");
        return id % TrimEvery == 0 ? connection.Execute("DELETE FROM audit WHERE id <= $id", ("$id", id - Kept)) : 0;
    }

    private AuditEntry Entry(string actor, string action, bool ok, string reason) =>
        new(time.GetUtcNow(), Plain(actor), Plain(action), ok ? "ok" : "refused", Plain(reason));

    // Part of the text comes from whoever knocks: it must stay one line of bounded length.
    private static string Plain(string text)
    {
        var cut = text.Length <= MaxText ? text : text[..MaxText];
        return cut.Any(char.IsControl) ? string.Concat(cut.Select(c => char.IsControl(c) ? ' ' : c)) : cut;
    }

    [LoggerMessage(LogLevel.Information, "audit: {Actor} {Action}: {Outcome}. {Reason}")]
    private partial void LogEntry(string actor, string action, string outcome, string reason);
}
