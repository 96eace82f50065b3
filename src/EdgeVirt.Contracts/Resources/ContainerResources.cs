namespace EdgeVirt.Contracts.Resources;

/// <summary>What a container is given and what it may use; meanings are those of Kubernetes.</summary>
public sealed record ResourceRequirements
{
    /// <summary>What is kept for it when the node is short; where one is absent, the limit counts.</summary>
    public ResourceRequests? Requests { get; init; }

    /// <summary>Hard limits.</summary>
    public ResourceLimits? Limits { get; init; }
}

/// <summary>What is kept for one container.</summary>
public sealed record ResourceRequests
{
    /// <summary>Its share of CPU when all want more than there is: CPUs, e.g. <c>500m</c> or <c>2</c>.</summary>
    public Quantity? Cpu { get; init; }

    /// <summary>Memory that the kernel does not take from it for others: bytes, e.g. <c>64Mi</c>.</summary>
    public Quantity? Memory { get; init; }
}

/// <summary>Hard limits of one container.</summary>
public sealed record ResourceLimits
{
    /// <summary>CPUs, e.g. <c>500m</c> or <c>2</c>.</summary>
    public Quantity? Cpu { get; init; }

    /// <summary>Bytes, e.g. <c>64Mi</c>.</summary>
    public Quantity? Memory { get; init; }

    /// <summary>Processes and threads.</summary>
    public int? Pids { get; init; }
}
