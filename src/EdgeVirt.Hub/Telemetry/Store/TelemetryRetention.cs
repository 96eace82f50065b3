using DuckDB.NET.Data;

namespace EdgeVirt.Hub.Telemetry;

/// <summary>What is kept of telemetry; null: without limit.</summary>
/// <param name="Age">How long a sample is kept.</param>
/// <param name="Bytes">How much of the file may be in use before the oldest samples go.</param>
internal sealed record RetentionLimits(TimeSpan? Age, long? Bytes)
{
    public static RetentionLimits Of(HubOptions options) => new(
        options.TelemetryRetentionDays == 0 ? null : TimeSpan.FromDays(options.TelemetryRetentionDays),
        options.TelemetryMaxGib == 0 ? null : (long)options.TelemetryMaxGib << 30);
}

/// <summary>
/// Erases telemetry that is past its age, and the oldest where the file holds more than it may. In small steps that take their
/// turn in the writer's queue, so that ingest never waits long. DuckDB uses the space again for what comes; the file itself gets
/// shorter only where its end is free, so the limit is on what is in use, and the file stays about as long as it ever was.
/// </summary>
internal sealed partial class TelemetryRetention(TelemetryStore store, RetentionLimits limits, TimeProvider time, ILogger<TelemetryRetention> logger)
    : BackgroundService
{
    public static readonly TimeSpan Interval = TimeSpan.FromMinutes(10);

    // Some 30 ms of the writer's time on two cores.
    private const long StepSamples = 500_000;
    private const int MostSteps = 200;
    private const int Slices = 64;

    /// <summary>One pass; what it leaves over is done by the next.</summary>
    /// <exception cref="TelemetryUnavailableException">The database cannot be read or written.</exception>
    internal async Task PassAsync(CancellationToken ct)
    {
        if (limits.Age is { } age)
        {
            var before = time.GetUtcNow() - age;
            var erased = await EraseAsync(() => Task.FromResult<DateTimeOffset?>(before), long.MaxValue, ct);
            if (erased > 0)
            {
                await store.RunAsync(writer => writer.Compact(), ct);
                LogAged(erased, before);
            }
        }

        if (limits.Bytes is { } most)
        {
            await MakeRoomAsync(most, ct);
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval, time);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
            {
                try
                {
                    await PassAsync(stoppingToken);
                }
                catch (TelemetryUnavailableException e)
                {
                    LogFailed(e);
                }
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The hub stops.
        }
    }

    private async Task MakeRoomAsync(long most, CancellationToken ct)
    {
        // What is in the write-ahead log still, or erased but not free yet, would not be counted right.
        await store.RunAsync(writer => writer.Compact(), ct);
        var (used, samples) = await store.ReadAsync(Measure, ct);
        if (used <= most)
        {
            return;
        }

        // Somewhat more than asked for, so that not every pass has to.
        var excess = (long)(samples * (1 - (most * 0.95 / used)));
        var erased = await EraseAsync(() => store.ReadAsync(OldestSlice, ct), excess, ct);
        await store.RunAsync(writer => writer.Compact(), ct);
        LogCrowded(erased, used >> 20, most >> 20);
    }

    /// <summary>Erases at most <paramref name="most"/> samples from before the times that <paramref name="next"/> gives until it gives the same again.</summary>
    private async Task<long> EraseAsync(Func<Task<DateTimeOffset?>> next, long most, CancellationToken ct)
    {
        var total = 0L;
        var before = await next();
        for (var step = 0; step < MostSteps && total < most && before is { } limit; step++)
        {
            var wanted = Math.Min(StepSamples, most - total);
            var erased = await store.RunAsync(writer => writer.Erase(limit, wanted), ct);
            total += erased;
            if (erased < wanted)
            {
                var following = await next();
                before = following == before ? null : following;
            }
        }

        return total;
    }

    /// <summary>Bytes of the file that are in use, and how many samples there are.</summary>
    internal static (long Used, long Samples) Measure(DuckDBConnection connection)
    {
        using var command = connection.CreateCommand();
        command.CommandText = "SELECT block_size * used_blocks, (SELECT count(*) FROM samples) FROM pragma_database_size()";
        using var reader = command.ExecuteReader();
        reader.Read();
        return (reader.GetInt64(0), reader.GetInt64(1));
    }

    /// <summary>The end of the oldest slice of what there is.</summary>
    private DateTimeOffset? OldestSlice(DuckDBConnection connection)
    {
        using var command = connection.CreateCommand();
        command.CommandText = "SELECT min(time) FROM samples";
        using var reader = command.ExecuteReader();
        if (!reader.Read() || reader.IsDBNull(0))
        {
            return null;
        }

        var oldest = new DateTimeOffset(DateTime.SpecifyKind(reader.GetDateTime(0), DateTimeKind.Utc));
        var slice = (time.GetUtcNow() - oldest) / Slices;
        return oldest + (slice > TimeSpan.FromSeconds(1) ? slice : TimeSpan.FromSeconds(1));
    }

    [LoggerMessage(EventId = 30, Level = LogLevel.Information, Message = "Deleted {Samples} telemetry samples from before {Before:u}: past their age")]
    private partial void LogAged(long samples, DateTimeOffset before);

    [LoggerMessage(EventId = 31, Level = LogLevel.Warning, Message = "Deleted the {Samples} oldest telemetry samples: {Used} MiB were in use, {Most} MiB are allowed")]
    private partial void LogCrowded(long samples, long used, long most);

    [LoggerMessage(EventId = 32, Level = LogLevel.Warning, Message = "Old telemetry could not be deleted now; the next pass tries again")]
    private partial void LogFailed(Exception exception);
}
