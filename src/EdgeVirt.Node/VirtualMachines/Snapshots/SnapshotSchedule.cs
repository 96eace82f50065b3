namespace EdgeVirt.Node.VirtualMachines.Snapshots;

/// <summary>
/// When the next scheduled snapshot is due. Pure. Boards have no clock of their own: the time may leap by years when one is found, and back.
/// So the clock only says that one is due, never how many were missed, and what the agent itself has counted bounds how often.
/// </summary>
internal static class SnapshotSchedule
{
    // For a board to find out the time after it was switched on.
    private static readonly TimeSpan Settling = TimeSpan.FromMinutes(5);

    /// <summary>How long to wait; zero: it is due.</summary>
    /// <param name="interval">From one to the next.</param>
    /// <param name="last">When the newest was taken, by the clock of that moment; null: none was.</param>
    /// <param name="now">The clock.</param>
    /// <param name="sinceStart">What the agent has run, counted.</param>
    /// <param name="sinceTaken">What has passed since it took one, counted; null: this run of it took none.</param>
    public static TimeSpan Wait(TimeSpan interval, DateTimeOffset? last, DateTimeOffset now, TimeSpan sinceStart, TimeSpan? sinceTaken)
    {
        var byCount = sinceTaken is { } taken ? (interval / 2) - taken : (interval < Settling ? interval : Settling) - sinceStart;
        var byClock = last switch
        {
            null => TimeSpan.Zero,
            // It went back, so what it says means nothing.
            { } ahead when ahead > now => interval - (sinceTaken ?? sinceStart),
            { } before => before + interval - now,
        };
        var wait = byCount > byClock ? byCount : byClock;
        return wait > TimeSpan.Zero ? wait : TimeSpan.Zero;
    }
}
