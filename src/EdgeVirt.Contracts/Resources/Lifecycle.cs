namespace EdgeVirt.Contracts.Resources;

/// <summary>What is done at the turns of a container's life. Names and meanings are those of Kubernetes.</summary>
public sealed record Lifecycle
{
    /// <summary>Before the container is asked to end, within its grace period; it is asked then whether this succeeded or not.</summary>
    public LifecycleHandler? PreStop { get; init; }
}

/// <summary>Exactly one of the three.</summary>
public sealed record LifecycleHandler
{
    /// <summary>A command inside the container.</summary>
    public ExecAction? Exec { get; init; }

    /// <summary>An HTTP request.</summary>
    public HttpGetAction? HttpGet { get; init; }

    /// <summary>A pause, so that others notice first.</summary>
    public SleepAction? Sleep { get; init; }
}

/// <summary>Waits.</summary>
public sealed record SleepAction
{
    /// <summary>At least 1, at most the grace period.</summary>
    public required int Seconds { get; init; }
}
