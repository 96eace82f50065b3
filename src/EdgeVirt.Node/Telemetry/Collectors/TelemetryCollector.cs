using System.Threading.Channels;
using EdgeVirt.Contracts.Protos;
using Google.Protobuf;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace EdgeVirt.Node.Telemetry;

/// <summary>
/// Reads every collector once per interval into one record, and hands it to the outbox through a small channel, so
/// that a slow disk delays no reading. A record too large for the outbox is cut into several.
/// </summary>
internal sealed partial class TelemetryCollector(
    NodeOptions options, Outbox outbox, IEnumerable<IUsageSource> usage, IEnumerable<ReadSamples> others, TimeProvider time, ILogger<TelemetryCollector> logger) : BackgroundService
{
    private const int SamplesPerRecord = 500;
    private readonly NodeReading reading = new(options, usage, others, time);

    private readonly Channel<TelemetryRecord> records =
        Channel.CreateBounded<TelemetryRecord>(new BoundedChannelOptions(16) { FullMode = BoundedChannelFullMode.DropOldest, SingleReader = true });

    /// <summary>Everything that can be read now.</summary>
    public TelemetryRecord Collect() => reading.Collect();

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var storing = StoreAsync(stoppingToken);
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(options.TelemetryIntervalSeconds), time);
        try
        {
            do
            {
                try
                {
                    records.Writer.TryWrite(Collect());
                }
                catch (Exception e) when (e is not OperationCanceledException)
                {
                    // One reading that fails, whatever the reason, must not end telemetry.
                    LogCollectFailed(e);
                }
            }
            while (await timer.WaitForNextTickAsync(stoppingToken));
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The agent stops.
        }

        records.Writer.Complete();
        await storing;
    }

    private async Task StoreAsync(CancellationToken ct)
    {
        await foreach (var record in records.Reader.ReadAllAsync(CancellationToken.None))
        {
            foreach (var part in Cut(record))
            {
                try
                {
                    await outbox.AppendAsync(part.ToByteArray(), CancellationToken.None);
                }
                catch (Exception e) when (e is ArgumentException or ObjectDisposedException)
                {
                    LogStoreFailed(e);
                }
            }

            if (ct.IsCancellationRequested)
            {
                return;
            }
        }
    }

    /// <summary>Records of at most <see cref="SamplesPerRecord"/> samples.</summary>
    internal static IEnumerable<TelemetryRecord> Cut(TelemetryRecord record)
    {
        if (record.Samples.Count <= SamplesPerRecord)
        {
            yield return record;
            yield break;
        }

        for (var at = 0; at < record.Samples.Count; at += SamplesPerRecord)
        {
            var part = new TelemetryRecord { TimeUnixMs = record.TimeUnixMs, BootId = record.BootId, UptimeMs = record.UptimeMs };
            part.Samples.AddRange(record.Samples.Skip(at).Take(SamplesPerRecord));
            yield return part;
        }
    }

    [LoggerMessage(EventId = 10, Level = LogLevel.Error, Message = "Could not read the machine's telemetry; trying again at the next interval")]
    private partial void LogCollectFailed(Exception exception);

    [LoggerMessage(EventId = 11, Level = LogLevel.Error, Message = "Could not store a telemetry record")]
    private partial void LogStoreFailed(Exception exception);
}
