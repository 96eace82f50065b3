using EdgeVirt.Contracts.Protos;

namespace EdgeVirt.Hub.Telemetry;

/// <summary>
/// Dates records. A node's clock is believed where it can be right; before the board has asked for the time it says
/// 1970 or the day its image was built. Such records are dated by their uptime: from the begin of their boot where
/// that is known, else as if the newest record of the boot in the batch had been read just now.
/// </summary>
internal static class RecordDating
{
    /// <summary>Before this no EdgeVirt node existed.</summary>
    private static readonly long Earliest = new DateTimeOffset(2025, 1, 1, 0, 0, 0, TimeSpan.Zero).ToUnixTimeMilliseconds();

    private const long MostAheadMs = 5 * 60 * 1000;

    /// <summary>Unix milliseconds for each record, and the begin of the newest boot that is certain now.</summary>
    public static (long[] Times, string BootId, long BootTime) Date(
        IReadOnlyList<TelemetryRecord> records, string knownBootId, long knownBootTime, DateTimeOffset received)
    {
        var now = received.ToUnixTimeMilliseconds();
        Dictionary<string, long> begins = [];
        if (knownBootId.Length > 0)
        {
            begins[knownBootId] = knownBootTime;
        }

        foreach (var record in records)
        {
            if (IsPlausible(record.TimeUnixMs, now) && record.BootId.Length > 0 && IsUptime(record.UptimeMs))
            {
                // The last one wins: clocks are set right in the course of a boot.
                begins[record.BootId] = record.TimeUnixMs - record.UptimeMs;
                (knownBootId, knownBootTime) = (record.BootId, begins[record.BootId]);
            }
        }

        foreach (var record in records)
        {
            if (!IsPlausible(record.TimeUnixMs, now) && !begins.ContainsKey(record.BootId))
            {
                begins[record.BootId] = now - records.Where(other => other.BootId == record.BootId && IsUptime(other.UptimeMs)).Select(other => other.UptimeMs).DefaultIfEmpty().Max();
            }
        }

        var times = new long[records.Count];
        for (var i = 0; i < times.Length; i++)
        {
            var record = records[i];
            times[i] = IsPlausible(record.TimeUnixMs, now)
                ? record.TimeUnixMs
                : Math.Clamp(begins[record.BootId] + (IsUptime(record.UptimeMs) ? record.UptimeMs : 0), Earliest, now);
        }

        return (times, knownBootId, knownBootTime);
    }

    private static bool IsPlausible(long time, long now) => time >= Earliest && time <= now + MostAheadMs;

    private static bool IsUptime(long milliseconds) => milliseconds is >= 0 and < 100L * 366 * 24 * 3600 * 1000;
}
