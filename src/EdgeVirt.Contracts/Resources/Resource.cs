using System.Text.Json;

namespace EdgeVirt.Contracts.Resources;

/// <summary>Everything an operator states: one kind, one name, what is wanted and what was seen.</summary>
public sealed record Resource
{
    /// <summary>The one version of the API.</summary>
    public const string CurrentApiVersion = "edgevirt.io/v1";

    /// <summary>Always <see cref="CurrentApiVersion"/>.</summary>
    public string ApiVersion { get; init => field = value ?? CurrentApiVersion; } = CurrentApiVersion;

    /// <summary>A name of <see cref="ResourceKind.All"/>.</summary>
    public required string Kind { get; init; }

    /// <summary>Name, labels and versions.</summary>
    public required Metadata Metadata { get; init; }

    /// <summary>What is wanted, in the shape of the kind's spec record.</summary>
    public JsonElement Spec { get; init; }

    /// <summary>What was seen, in the shape of the kind's status record; written by the hub alone.</summary>
    public JsonElement? Status { get; init; }
}

/// <summary>What every resource carries about itself.</summary>
public sealed record Metadata
{
    /// <summary>DNS label, unique within its kind.</summary>
    public required string Name { get; init; }

    /// <summary>For selection, e.g. <c>site: oslo</c>.</summary>
    public IReadOnlyDictionary<string, string>? Labels { get; init; }

    /// <summary>For people and tools; not selected by.</summary>
    public IReadOnlyDictionary<string, string>? Annotations { get; init; }

    /// <summary>Set by the hub: distinguishes a resource from an earlier one of the same name.</summary>
    public string? Uid { get; init; }

    /// <summary>Set by the hub: rises by one whenever the spec changes.</summary>
    public long? Generation { get; init; }

    /// <summary>Set by the hub: rises with each change of anything, across all resources. Sent back in an
    /// update, it makes the update fail if somebody else was faster.</summary>
    public long? ResourceVersion { get; init; }

    /// <summary>Set by the hub.</summary>
    public DateTimeOffset? CreationTimestamp { get; init; }
}
