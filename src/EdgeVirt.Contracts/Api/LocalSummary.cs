using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Contracts.Api;

/// <summary>What a screen on the board shows of its node, as the agent knows it. No secrets.</summary>
public sealed record LocalSummary
{
    /// <summary>The name that the hub gave; absent: not enrolled.</summary>
    public string? Node { get; init; }

    /// <summary>The hub's node port, host:port; absent: not enrolled.</summary>
    public string? Hub { get; init; }

    /// <summary>Since when the link to the hub is up; absent: it is not.</summary>
    public DateTimeOffset? HubConnectedSince { get; init; }

    /// <summary>Why it is not, for people.</summary>
    public string? HubProblem { get; init; }

    /// <summary>The node as it describes itself to its hub.</summary>
    public required NodeStatus Status { get; init; }

    /// <summary>Workloads, ordered by name.</summary>
    public IReadOnlyList<LocalInstance> Workloads { get; init => field = value ?? []; } = [];

    /// <summary>Virtual machines, ordered by name.</summary>
    public IReadOnlyList<LocalInstance> VirtualMachines { get; init => field = value ?? []; } = [];

    /// <summary>The newest error that the agent has logged since it started.</summary>
    public LocalError? LastError { get; init; }
}

/// <summary>A workload or virtual machine on this node.</summary>
public sealed record LocalInstance
{
    /// <summary>Its name.</summary>
    public required string Name { get; init; }

    /// <summary>Whether it does what it is there for.</summary>
    public bool IsReady { get; init; }

    /// <summary>One of <see cref="ReadyReasons"/>; empty: nothing is known yet.</summary>
    public string State { get; init => field = value ?? ""; } = "";

    /// <summary>For people.</summary>
    public string? Message { get; init; }

    /// <summary>How often it, or its containers together, were started again.</summary>
    public int Restarts { get; init; }
}

/// <summary>An error that the agent has logged.</summary>
/// <param name="At">When.</param>
/// <param name="Source">The part of the agent.</param>
/// <param name="Message">What.</param>
public sealed record LocalError(DateTimeOffset At, string Source, string Message);
