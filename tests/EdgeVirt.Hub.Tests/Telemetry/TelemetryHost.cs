using EdgeVirt.Contracts.Protos;
using EdgeVirt.Hub.Telemetry;
using Google.Protobuf;
using Microsoft.Extensions.Logging.Abstractions;

namespace EdgeVirt.Hub.Tests.Telemetry;

/// <summary>The hub's telemetry on a directory of its own.</summary>
internal sealed class TelemetryHost : IAsyncDisposable
{
    private readonly TelemetryStore store;
    private readonly TimeProvider time;

    private TelemetryHost(string directory, TimeProvider time)
    {
        this.time = time;
        Database = new TelemetryDatabase(
            Path.Combine(directory, "telemetry.duckdb"), Path.Combine(directory, "quarantine"), time, NullLogger<TelemetryDatabase>.Instance);
        store = new TelemetryStore(
            Database,
            (file, _) =>
            {
                Reported.Add(file);
                return Task.CompletedTask;
            },
            time, NullLogger<TelemetryStore>.Instance);
        Ingest = new TelemetryIngest(store, NullLogger<TelemetryIngest>.Instance);
        Query = new TelemetryQuery(store);
    }

    public TelemetryDatabase Database { get; }

    public List<string> Reported { get; } = [];

    public TelemetryIngest Ingest { get; }

    public TelemetryQuery Query { get; }

    public static async Task<TelemetryHost> StartAsync(string directory, TimeProvider? time = null)
    {
        var host = new TelemetryHost(directory, time ?? TimeProvider.System);
        await host.store.StartAsync(CancellationToken.None);
        await host.store.StartedAsync(CancellationToken.None);
        return host;
    }

    public TelemetryRetention Retention(TimeSpan? age, long? bytes = null) =>
        new(store, new RetentionLimits(age, bytes), time, NullLogger<TelemetryRetention>.Instance);

    /// <summary>Bytes in use, and the number of samples.</summary>
    public Task<(long Used, long Samples)> MeasureAsync() => store.ReadAsync(TelemetryRetention.Measure, CancellationToken.None);

    /// <summary>A batch whose records have one sample each, the sequence as its value.</summary>
    public static byte[] Batch(string stream, ulong first, int count, string metric = "m", ulong dropped = 0, DateTimeOffset? at = null)
    {
        var moment = at ?? TimeProvider.System.GetUtcNow().AddSeconds(-1);
        var batch = new TelemetryBatch { Stream = stream, FirstSequence = first, DroppedRecords = dropped };
        for (var i = 0; i < count; i++)
        {
            var record = new TelemetryRecord { TimeUnixMs = moment.ToUnixTimeMilliseconds(), BootId = "boot", UptimeMs = 5 };
            record.Samples.Add(new Sample { Metric = metric, Value = first + (ulong)i });
            batch.Records.Add(record.ToByteString());
        }

        return batch.ToByteArray();
    }

    public async Task<List<double>> ValuesAsync(string? node = null, string? metric = null)
    {
        var now = time.GetUtcNow();
        var result = await Query.RunAsync(
            node, metric, new Dictionary<string, string>(), (now.AddDays(-3650), now.AddDays(1)), null, TelemetryQuery.MostPoints, CancellationToken.None);
        return [.. result.Points.Select(point => point.Value).Order()];
    }

    public async ValueTask DisposeAsync()
    {
        await store.StopAsync(CancellationToken.None);
        store.Dispose();
    }
}
