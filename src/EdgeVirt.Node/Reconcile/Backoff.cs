namespace EdgeVirt.Node.Reconcile;

/// <summary>
/// Capped exponential backoff. Each delay is drawn from the upper half of its step, so that many nodes which failed
/// at the same moment do not come back at the same moment. Not thread-safe.
/// </summary>
/// <param name="first">Longest first delay.</param>
/// <param name="most">Longest delay at all.</param>
/// <param name="random">Source of jitter; absent: the shared one.</param>
internal sealed class Backoff(TimeSpan first, TimeSpan most, Random? random = null)
{
    private readonly Random random = random ?? Random.Shared;

    /// <summary>Failures since the last success.</summary>
    public int Failures { get; private set; }

    /// <summary>Counts a failure and says how long to wait.</summary>
    public TimeSpan Next()
    {
        var step = Math.Min(first.TotalSeconds * Math.Pow(2, Math.Min(Failures, 30)), most.TotalSeconds);
        Failures++;
        return TimeSpan.FromSeconds(step * (0.5 + (random.NextDouble() / 2)));
    }

    /// <summary>It went well: start over.</summary>
    public void Reset() => Failures = 0;
}
