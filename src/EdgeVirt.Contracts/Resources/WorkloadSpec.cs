namespace EdgeVirt.Contracts.Resources;

/// <summary>A group of containers that share a network and run together on each node of a placement.</summary>
public sealed record WorkloadSpec
{
    /// <summary>What runs. Names and meanings are those of a Kubernetes Pod.</summary>
    public required PodSpec Template { get; init; }

    /// <summary>Where it runs; absent: on every node.</summary>
    public Placement? Placement { get; init; }

    /// <summary>How a new version takes over; absent: Recreate, and back to the version before if the new one fails.</summary>
    public UpdateStrategy? Strategy { get; init; }
}

/// <summary>Which nodes, and how many of them.</summary>
public sealed record Placement
{
    /// <summary>Labels that a node must carry.</summary>
    public IReadOnlyDictionary<string, string>? NodeSelector { get; init; }

    /// <summary>How many nodes; absent: every node that matches.</summary>
    public int? Replicas { get; init; }
}
