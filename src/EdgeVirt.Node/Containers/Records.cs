using System.Text.Json.Serialization;
using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Node.Containers;

/// <summary>
/// What a workload has on the node apart from its containers: network namespace, address, volumes. Written before
/// any of it is made, so that whatever a crash leaves can be found by it.
/// </summary>
internal sealed record SandboxRecord
{
    private const string Alternate = ".b";

    /// <summary>workload-uid8, and .b for each second one that was handed over to.</summary>
    public required string Id { get; init; }

    public required string Workload { get; init; }

    public required string Uid { get; init; }

    /// <summary>Of template and the contents that it refers to.</summary>
    public required string Hash { get; init; }

    /// <summary>On the node's bridge; null with hostNetwork.</summary>
    public string? Address { get; init; }

    public bool HostNetwork { get; init; }

    /// <summary>The id of the node that is 0 in the workload's own user namespace; null: it has none.</summary>
    public uint? FirstHostId { get; init; }

    /// <summary>As the spec says; its namespace is one of the sandbox's parts.</summary>
    public bool HasOwnUsers { get; init; }

    /// <summary>Whether it has the second name.</summary>
    [JsonIgnore]
    public bool IsAlternate => Id.EndsWith(Alternate, StringComparison.Ordinal);

    /// <summary>How often it was made anew: after a reboot, or when making it failed.</summary>
    public int Attempt { get; init; }

    public IReadOnlyList<PublishedPort> Ports { get; init; } = [];

    /// <summary>Between SIGTERM and SIGKILL.</summary>
    public int GraceSeconds { get; init; } = 30;

    /// <summary>Counts hand-overs: of two, the one with the higher turn came later.</summary>
    public int Turn { get; init; }

    /// <summary>It has yet to take the published ports over from the one before it.</summary>
    public bool IsSuccessor { get; init; }

    // No name has a dot, so that this is nobody else's id.
    public static string IdOf(string workload, string uid, bool isAlternate = false)
    {
        var digits = string.Concat(uid.Where(char.IsAsciiLetterOrDigit)).ToLowerInvariant();
        return $"{workload}-{(digits.Length > 8 ? digits[..8] : digits)}{(isAlternate ? Alternate : "")}";
    }
}

/// <summary>A node port that leads to a workload's port; on all of the node's addresses where none is said.</summary>
internal sealed record PublishedPort(int HostPort, int Port, PortProtocol Protocol, string? HostAddress = null);

/// <summary>One run of a container. Written before anything is made for it, and durable before its program runs.</summary>
internal sealed record ContainerRecord
{
    /// <summary>workload-uid8-container-attempt.</summary>
    public required string Id { get; init; }

    public required string SandboxId { get; init; }

    public required string Workload { get; init; }

    public required string Uid { get; init; }

    public required string Container { get; init; }

    /// <summary>0 for the first run; also the restart count.</summary>
    public required int Attempt { get; init; }

    public required string Hash { get; init; }

    /// <summary>Of the sandbox that it ran in: an init container is done for that one alone.</summary>
    public int SandboxAttempt { get; init; }

    public required string ImageDigest { get; init; }

    /// <summary>Runs before this one that ended soon, without a longer one between: the exponent of the backoff.</summary>
    public int Failures { get; init; }

    /// <summary>Number of the signal that asks it to end.</summary>
    public int StopSignal { get; init; } = 15;

    /// <summary>What is done before it is asked to end. Here, because the template that said so may be gone by then.</summary>
    public LifecycleHandler? PreStop { get; init; }

    /// <summary>What is still to be done right after its start; null: nothing, or it is done.</summary>
    public LifecycleHandler? PostStart { get; init; }

    /// <summary>How much of its output is kept; null: as the node says.</summary>
    public LogsSpec? Logs { get; init; }

    /// <summary>When the run began; null until it did.</summary>
    public DateTimeOffset? StartedAt { get; init; }

    /// <summary>Why the agent itself stops the run; null: it does not.</summary>
    public string? StopCause { get; init; }

    /// <summary>The one word for <see cref="StopCause"/>; null: <see cref="WorkloadPlan.ProbeFailed"/>.</summary>
    public string? StopReason { get; init; }

    /// <summary>How it ended; null until it did.</summary>
    public ContainerExit? Exit { get; init; }

    /// <summary>Everything but record and log is gone: kept for <c>logs --previous</c> and the restart count.</summary>
    public bool Retired { get; init; }

    public static string IdOf(string sandboxId, string container, int attempt) => $"{sandboxId}-{container}-{attempt}";
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    UseStringEnumConverter = true,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(SandboxRecord))]
[JsonSerializable(typeof(ContainerRecord))]
internal sealed partial class RecordsJson : JsonSerializerContext;
