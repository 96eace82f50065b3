using EdgeVirt.Contracts.Protos;
using EdgeVirt.Hub.Telemetry;
using Google.Protobuf;
using Microsoft.Extensions.Logging.Abstractions;

namespace EdgeVirt.Hub.Tests.Telemetry;

/// <summary>The hub's telemetry on a directory of its own.</summary>
internal sealed class TelemetryHost : IAsyncDisposable
{
    private readonly TelemetryStore store;

    private TelemetryHost(string directory)
    {
        Database = new TelemetryDatabase(
            Path.Combine(directory, "telemetry.duckdb"), Path.Combine(directory, "quarantine"), TimeProvider.System, NullLogger<TelemetryDatabase>.Instance);
        store = new TelemetryStore(
            Database,
            (file, _) =>
            {
                Reported.Add(file);
                return Task.CompletedTask;
            },
            TimeProvider.System, NullLogger<TelemetryStore>.Instance);
        Ingest = new TelemetryIngest(store, NullLogger<TelemetryIngest>.Instance);
        Query = new TelemetryQuery(store);
    }

    public TelemetryDatabase Database { get; }

    public List<string> Reported { get; } = [];

    public TelemetryIngest Ingest { get; }

    public TelemetryQuery Query { get; }

    public static async Task<TelemetryHost> StartAsync(string directory)
    {
        var host = new TelemetryHost(directory);
        await host.store.StartAsync(CancellationToken.None);
        return host;
    }

    /// <summary>A batch whose records have one sample each, the sequence as its value.</summary>
    public static byte[] Batch(string stream, ulong first, int count, string metric = "m", ulong dropped = 0)
    {
        var batch = new TelemetryBatch { Stream = stream, FirstSequence = first, DroppedRecords = dropped };
        for (var i = 0; i < count; i++)
        {
            var record = new TelemetryRecord { TimeUnixMs = TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds() - 1000, BootId = "boot", UptimeMs = 5 };
            record.Samples.Add(new Sample { Metric = metric, Value = first + (ulong)i });
            batch.Records.Add(record.ToByteString());
        }

        return batch.ToByteArray();
    }

    public async Task<List<double>> ValuesAsync(string? node = null, string? metric = null)
    {
        var now = TimeProvider.System.GetUtcNow();
        var result = await Query.RunAsync(
            node, metric, new Dictionary<string, string>(), (now.AddDays(-30), now.AddDays(1)), null, TelemetryQuery.MostPoints, CancellationToken.None);
        return [.. result.Points.Select(point => point.Value).Order()];
    }

    public async ValueTask DisposeAsync()
    {
        await store.StopAsync(CancellationToken.None);
        store.Dispose();
    }
}
