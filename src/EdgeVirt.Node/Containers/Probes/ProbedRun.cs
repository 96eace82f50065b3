using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Node.Containers.Probes;

internal enum ProbeKind
{
    Startup,
    Readiness,
    Liveness,
}

/// <summary>The probes of one run. Readiness and liveness wait for startup. Pure.</summary>
internal sealed record ProbedRun
{
    public ProbeState? Startup { get; init; }

    public ProbeState? Readiness { get; init; }

    public ProbeState? Liveness { get; init; }

    public bool IsStarted => Startup is null or { Verdict: true };

    public bool IsReady => IsStarted && Readiness is null or { Verdict: true } && Failure is null;

    /// <summary>Why the run is to be stopped; null: it is not.</summary>
    public string? Failure => Startup is { Verdict: false } startup ? $"its startup probe failed: {startup.Message}"
        : Liveness is { Verdict: false } liveness ? $"its liveness probe failed: {liveness.Message}"
        : null;

    /// <summary>Why it is not ready, after the container's name; null: it is.</summary>
    public string? Complaint => Failure is { } failure ? $"is being stopped: {failure}"
        : !IsStarted ? "has not passed its startup probe yet"
        : Readiness switch
        {
            { Verdict: null } => "has not passed its readiness probe yet",
            { Verdict: false, Message: var message } => $"fails its readiness probe: {message}",
            _ => null,
        };

    /// <summary>Whether what makes it not ready is a failure, not that it is too early.</summary>
    public bool HasFailed => Failure is not null || (IsStarted && Readiness is { Verdict: false });

    /// <summary>Those that are asked now; none once the run is to be stopped.</summary>
    public IEnumerable<(ProbeKind Kind, ProbeState State)> Active
    {
        get
        {
            if (Failure is not null)
            {
                yield break;
            }

            if (!IsStarted)
            {
                yield return (ProbeKind.Startup, Startup!);
                yield break;
            }

            if (Readiness is not null)
            {
                yield return (ProbeKind.Readiness, Readiness);
            }

            if (Liveness is not null)
            {
                yield return (ProbeKind.Liveness, Liveness);
            }
        }
    }

    /// <param name="spec">Of the container.</param>
    /// <param name="now">Now.</param>
    /// <param name="age">How long the run has lasted.</param>
    /// <param name="wasReady">It was reported ready by the agent before: it need not show that again first.</param>
    /// <returns>Null: it has no probes.</returns>
    public static ProbedRun? Of(ContainerSpec spec, TimeSpan now, TimeSpan age, bool wasReady)
    {
        ProbeState? Begin(Probe? probe)
        {
            var delay = TimeSpan.FromSeconds(probe?.InitialDelaySeconds ?? 0) - age;
            return probe is null ? null : new ProbeState(probe, delay > TimeSpan.Zero ? now + delay : now);
        }

        var run = new ProbedRun { Startup = wasReady ? null : Begin(spec.StartupProbe), Readiness = Begin(spec.ReadinessProbe), Liveness = Begin(spec.LivenessProbe) };
        return run is { Startup: null, Readiness: null, Liveness: null } && spec.StartupProbe is null ? null
            : wasReady ? run with { Readiness = run.Readiness is { } readiness ? readiness with { Verdict = true } : null }
            : run;
    }

    public ProbedRun After(ProbeKind kind, ActionAnswer answer, TimeSpan now)
    {
        switch (kind)
        {
            case ProbeKind.Readiness:
                return this with { Readiness = Readiness!.After(answer, now) };
            case ProbeKind.Liveness:
                return this with { Liveness = Liveness!.After(answer, now) };
            default:
                var after = this with { Startup = Startup!.After(answer, now) };
                // What waited for it is asked at once.
                return after.IsStarted ? after with { Readiness = NotBefore(Readiness, now), Liveness = NotBefore(Liveness, now) } : after;
        }
    }

    private static ProbeState? NotBefore(ProbeState? state, TimeSpan now) => state is not null && state.DueAt < now ? state with { DueAt = now } : state;
}
