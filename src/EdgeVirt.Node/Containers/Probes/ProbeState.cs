using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Node.Containers.Probes;

/// <summary>How far one probe of one run has come. Pure; times count from any fixed moment.</summary>
/// <param name="Probe">What is asked.</param>
/// <param name="DueAt">When it is asked next.</param>
internal sealed record ProbeState(Probe Probe, TimeSpan DueAt)
{
    /// <summary>What its answers amount to; null: nothing yet.</summary>
    public bool? Verdict { get; init; }

    /// <summary>What the answer said that made the verdict a failure; later ones do not change it, so that reports rest.</summary>
    public string? Message { get; init; }

    /// <summary>The last answer.</summary>
    public bool? Last { get; init; }

    /// <summary>How many answers in a row were like the last.</summary>
    public int InARow { get; init; }

    private int Threshold(bool success) => success ? Probe.SuccessThreshold ?? 1 : Probe.FailureThreshold ?? 3;

    public ProbeState After(ActionAnswer answer, TimeSpan now)
    {
        var row = answer.Succeeded == Last ? InARow + 1 : 1;
        var next = DueAt + TimeSpan.FromSeconds(Probe.PeriodSeconds ?? 10);
        var state = this with { DueAt = OnTheSecond(next > now ? next : now), Last = answer.Succeeded, InARow = row };
        return row < Threshold(answer.Succeeded) || Verdict == answer.Succeeded
            ? state
            : state with { Verdict = answer.Succeeded, Message = answer.Message };
    }

    // So that one waking serves the probes of all containers.
    private static TimeSpan OnTheSecond(TimeSpan time) =>
        TimeSpan.FromTicks((time.Ticks + TimeSpan.TicksPerSecond - 1) / TimeSpan.TicksPerSecond * TimeSpan.TicksPerSecond);
}
