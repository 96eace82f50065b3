namespace EdgeVirt.Contracts.Resources;

/// <summary>What a container may use.</summary>
public sealed record ResourceRequirements
{
    /// <summary>Hard limits.</summary>
    public ResourceLimits? Limits { get; init; }
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
