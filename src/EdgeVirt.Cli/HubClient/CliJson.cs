using System.Text.Json;
using System.Text.Json.Serialization;
using EdgeVirt.Cli.Commands;
using EdgeVirt.Cli.Flash.Cards;
using EdgeVirt.Cli.Output;

namespace EdgeVirt.Cli.HubClient;

/// <summary>What the CLI itself reads and writes as JSON, beside the contracts.</summary>
[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, WriteIndented = true, UseStringEnumConverter = true, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(Configuration))]
[JsonSerializable(typeof(LogEntry))]
[JsonSerializable(typeof(ClaimTokenOutput))]
[JsonSerializable(typeof(ClaimBatchOutput))]
[JsonSerializable(typeof(TokenBatchContent))]
[JsonSerializable(typeof(VersionOutput))]
[JsonSerializable(typeof(ContextOutput[]))]
[JsonSerializable(typeof(NodeUsage[]))]
[JsonSerializable(typeof(ContainerUsage[]))]
[JsonSerializable(typeof(ScreenContent))]
[JsonSerializable(typeof(ApiTokenRequest))]
[JsonSerializable(typeof(ApiTokenIssued))]
[JsonSerializable(typeof(ApiTokenList))]
internal sealed partial class CliJson : JsonSerializerContext;

/// <summary>One line of a workload's log, as the hub streams it.</summary>
internal sealed record LogEntry
{
    public DateTimeOffset Time { get; init; }

    /// <summary>stdout or stderr.</summary>
    public string? Stream { get; init; }

    public string? Text { get; init; }

    /// <summary>The line goes on in the next entry.</summary>
    public bool Partial { get; init; }

    /// <summary>It is no line: lines may be missing before the next.</summary>
    public bool? Missing { get; init; }

    /// <summary>Set on the last line of a stream that broke off: the word of an ApiError.</summary>
    public string? Code { get; init; }

    /// <summary>Goes with <see cref="Code"/>.</summary>
    public string? Message { get; init; }

    /// <summary>Goes with <see cref="Code"/>.</summary>
    public string? Hint { get; init; }
}

/// <summary>Body of <c>POST /api/v1/tokens</c>.</summary>
internal sealed record ApiTokenRequest(string Name, DateTimeOffset? ExpiresAt, bool ReadOnly);

/// <summary>Answer to <c>POST /api/v1/tokens</c>; the token is not shown again.</summary>
internal sealed record ApiTokenIssued(string Name, string Token, DateTimeOffset? ExpiresAt);

/// <summary>Answer to <c>GET /api/v1/tokens</c>.</summary>
internal sealed record ApiTokenList(IReadOnlyList<ApiToken> Items);

/// <summary>A token as the hub knows it: without its text.</summary>
internal sealed record ApiToken(string Name, DateTimeOffset? CreatedAt, DateTimeOffset? ExpiresAt, bool ReadOnly);
