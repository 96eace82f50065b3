namespace EdgeVirt.Contracts.Resources;

/// <summary>What is done at the turns of a container's life. Names and meanings are those of Kubernetes.</summary>
public sealed record Lifecycle
{
    /// <summary>
    /// Right after the container's start, beside its program. Until it has ended the container is not Ready, no probe asks, and containers
    /// that come later in the list are not started for the first time. When it fails, the container is stopped by its grace period with the
    /// reason <c>FailedPostStartHook</c>, and the restart policy applies. It has no time limit of its own.
    /// </summary>
    /// <remarks>
    /// It is run at least once for each run of the container: where the agent ended before it knew the outcome, what is left of the
    /// command is ended and the hook begins anew, so that doing it twice must do no harm.
    /// </remarks>
    public LifecycleHandler? PostStart { get; init; }

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
    /// <summary>At least 1; at most the grace period before a stop, an hour after a start.</summary>
    public required int Seconds { get; init; }
}
