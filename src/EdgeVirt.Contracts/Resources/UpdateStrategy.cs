namespace EdgeVirt.Contracts.Resources;

/// <summary>
/// How a new version of a workload takes the place of the one before on a node. Whatever the type: everything is on the node
/// and verified before anything stops, and a version that does not become Ready in time gives way to the last that did.
/// </summary>
public sealed record UpdateStrategy
{
    /// <summary>In which order old and new end and begin.</summary>
    public UpdateStrategyType Type { get; init; }

    /// <summary>Workloads of the same set are staged, switched and rolled back together on a node; absent: it is a set of its own. A DNS label.</summary>
    public string? Set { get; init; }

    /// <summary>Seconds from the switch within which the set must have become Ready; absent: 300.</summary>
    public int? ProgressDeadlineSeconds { get; init; }

    /// <summary>Seconds that it must stay Ready to count as proven; absent: 10.</summary>
    public int? MinReadySeconds { get; init; }

    /// <summary>What is done with a version that fails.</summary>
    public RollbackPolicy Rollback { get; init; }
}

/// <summary>In which order the versions of a workload end and begin.</summary>
public enum UpdateStrategyType
{
    /// <summary>The old one ends, then the new one begins; members of a set all at once. The default.</summary>
    Recreate,

    /// <summary>Members of a set one after the other: the next when the one before is Ready. Alone, the same as Recreate.</summary>
    RollingUpdate,

    /// <summary>The new one begins beside the old one, takes its published ports over once it is Ready, and then the old one ends.</summary>
    HandOver,
}

/// <summary>What is done with a version that does not become Ready in time.</summary>
public enum RollbackPolicy
{
    /// <summary>The last version that proved itself comes back; the default.</summary>
    OnFailure,

    /// <summary>It stays.</summary>
    Never,
}
