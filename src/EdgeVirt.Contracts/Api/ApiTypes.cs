using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Contracts.Api;

/// <summary>Body of every answer with a status of 400 or above.</summary>
public sealed record ApiError
{
    /// <summary>One word for programs: Invalid, NotFound, Conflict, Unauthorized, Forbidden, Gone, Unavailable, Internal.</summary>
    public required string Code { get; init; }

    /// <summary>One sentence for people.</summary>
    public required string Message { get; init; }

    /// <summary>What to do next, where that is known.</summary>
    public string? Hint { get; init; }

    /// <summary>Each fault of a manifest.</summary>
    public IReadOnlyList<FieldError>? Errors { get; init; }
}

/// <summary>One fault of a manifest.</summary>
/// <param name="Line">Line in the text, from 1; 0 where it has no place.</param>
/// <param name="Field">Path, e.g. <c>spec.template.containers[0].image</c>.</param>
/// <param name="Reason">What is wrong and what would be right.</param>
/// <param name="Document">Which document of the text, e.g. <c>Workload/web</c>.</param>
public sealed record FieldError(int Line, string Field, string Reason, string? Document = null);

/// <summary>Answer to a list: <c>GET /api/v1/&lt;plural&gt;</c>.</summary>
public sealed record ResourceList
{
    /// <summary>Newest version that the list includes: watch from here.</summary>
    public required long ResourceVersion { get; init; }

    /// <summary>Ordered by name.</summary>
    public required IReadOnlyList<Resource> Items { get; init; }
}

/// <summary>What happened to a resource.</summary>
public enum WatchEventType
{
    /// <summary>It is new.</summary>
    Added,

    /// <summary>It changed.</summary>
    Modified,

    /// <summary>It is gone; the resource is its last form.</summary>
    Deleted,

    /// <summary>Nothing happened up to this version; keeps the connection alive.</summary>
    Bookmark,
}

/// <summary>One line of <c>GET /api/v1/&lt;plural&gt;?watch=true&amp;resourceVersion=N</c> (NDJSON).</summary>
public sealed record WatchEvent
{
    /// <summary>What happened.</summary>
    public required WatchEventType Type { get; init; }

    /// <summary>Version of the event.</summary>
    public required long ResourceVersion { get; init; }

    /// <summary>The resource after it; absent in a bookmark.</summary>
    public Resource? Resource { get; init; }
}

/// <summary>Answer to <c>POST /api/v1/apply</c>: all of the documents, or none.</summary>
public sealed record ApplyResult
{
    /// <summary>In the order of the text.</summary>
    public required IReadOnlyList<AppliedResource> Items { get; init; }
}

/// <summary>What apply did with one document.</summary>
/// <param name="Kind">Its kind.</param>
/// <param name="Name">Its name.</param>
/// <param name="Outcome">created, configured or unchanged.</param>
/// <param name="Generation">Its generation now.</param>
public sealed record AppliedResource(string Kind, string Name, string Outcome, long Generation);

/// <summary>Answer to <c>POST /api/v1/boardclaims/&lt;name&gt;/token</c>; the token is not shown again.</summary>
/// <param name="Token">Text of a <see cref="ClaimToken"/>.</param>
/// <param name="ExpiresAt">When it ends.</param>
public sealed record ClaimTokenIssued(string Token, DateTimeOffset ExpiresAt);

/// <summary>Answer to <c>GET /api/v1/version</c>.</summary>
/// <param name="Version">Version of the hub.</param>
/// <param name="ApiVersion">The API version it speaks.</param>
public sealed record VersionAnswer(string Version, string ApiVersion);

/// <summary>Answer to <c>GET /api/v1/telemetry</c>.</summary>
public sealed record TelemetryQueryResult
{
    /// <summary>Rows in the order of time.</summary>
    public required IReadOnlyList<TelemetryPoint> Points { get; init; }

    /// <summary>Whether more rows matched than were asked for.</summary>
    public bool Truncated { get; init; }

    /// <summary>Records that nodes had to drop or lost, per node, as far as the hub knows.</summary>
    public IReadOnlyDictionary<string, long>? MissingRecords { get; init; }

    /// <summary>Time of the newest sample that the hub's retention deleted, where the query reaches back to it: what is asked for
    /// from before is not complete.</summary>
    public DateTimeOffset? ErasedUpTo { get; init; }
}

/// <summary>One value, or the mean of a bucket where a step was asked for.</summary>
/// <param name="Time">When it was measured; start of the bucket.</param>
/// <param name="Node">The node's name.</param>
/// <param name="Metric">OpenTelemetry name.</param>
/// <param name="Value">In the metric's unit.</param>
/// <param name="Attributes">Such as workload or device.</param>
public sealed record TelemetryPoint(
    DateTimeOffset Time, string Node, string Metric, double Value, IReadOnlyDictionary<string, string>? Attributes = null);

/// <summary>Answer to <c>GET /api/v1/audit</c>, newest first.</summary>
/// <param name="Items">Entries.</param>
public sealed record AuditList(IReadOnlyList<AuditEntry> Items);

/// <summary>One entry of the hub's audit log.</summary>
/// <param name="Time">When.</param>
/// <param name="Actor">Who: a node, a token's name, an address.</param>
/// <param name="Action">What was tried, e.g. <c>enroll</c>.</param>
/// <param name="Outcome">ok or refused.</param>
/// <param name="Reason">Why it was refused, or what came of it.</param>
public sealed record AuditEntry(DateTimeOffset Time, string Actor, string Action, string Outcome, string Reason);
