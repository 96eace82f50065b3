namespace EdgeVirt.Node.Containers;

/// <summary>
/// How long a container that ended waits for its next run: the first restart at once, then 10 ms doubled each time up
/// to 5 minutes. A run of 10 minutes makes it start over. Pure, so that it holds over restarts of the agent: the count
/// lies in the container's record.
/// </summary>
internal static class RestartBackoff
{
    public static readonly TimeSpan First = TimeSpan.FromMilliseconds(10);
    public static readonly TimeSpan Most = TimeSpan.FromMinutes(5);
    public static readonly TimeSpan LongRun = TimeSpan.FromMinutes(10);

    /// <summary>The wait after the run that had <paramref name="failures"/> short runs before it.</summary>
    public static TimeSpan DelayAfter(int failures) => failures <= 0
        ? TimeSpan.Zero
        : TimeSpan.FromTicks(Math.Min(Most.Ticks, First.Ticks << Math.Min(failures - 1, 30)));

    /// <summary>The count for the run after <paramref name="ended"/>.</summary>
    public static int FailuresAfter(ContainerRecord ended) =>
        ended is { StartedAt: { } from, Exit.FinishedAt: { } to } && to - from >= LongRun ? 1 : ended.Failures + 1;

    /// <summary>When the run after <paramref name="ended"/> may begin. A clock that was set back delays it by one wait at most.</summary>
    public static DateTimeOffset DueAfter(ContainerRecord ended, DateTimeOffset now)
    {
        var delay = DelayAfter(ended is { StartedAt: { } from, Exit.FinishedAt: { } to } && to - from >= LongRun ? 0 : ended.Failures);
        var due = (ended.Exit?.FinishedAt ?? now) + delay;
        return due > now + delay ? now + delay : due;
    }
}
