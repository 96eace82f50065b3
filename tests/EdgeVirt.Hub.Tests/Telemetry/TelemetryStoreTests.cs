using EdgeVirt.Contracts.Protos;
using EdgeVirt.Hub.Telemetry;
using Google.Protobuf;

namespace EdgeVirt.Hub.Tests.Telemetry;

public sealed class TelemetryStoreTests
{
    private static readonly Dictionary<string, string> NoAttributes = [];
    private string directory = "";

    [SetUp]
    public void MakeDirectory() => directory = Directory.CreateTempSubdirectory("telemetry").FullName;

    [TearDown]
    public void RemoveDirectory() => Directory.Delete(directory, recursive: true);

    [Test]
    public async Task Stores_duplicates_and_reordered_batches_once_also_after_a_restart()
    {
        await using (var hub = await TelemetryHost.StartAsync(directory))
        {
            await hub.Ingest.AcceptAsync("n1", TelemetryHost.Batch("s", 1, 10), default);
            await hub.Ingest.AcceptAsync("n1", TelemetryHost.Batch("s", 21, 10), default);
            await hub.Ingest.AcceptAsync("n1", TelemetryHost.Batch("s", 1, 10), default);
        }

        await using var again = await TelemetryHost.StartAsync(directory);
        await again.Ingest.AcceptAsync("n1", TelemetryHost.Batch("s", 21, 10), default);
        await again.Ingest.AcceptAsync("n1", TelemetryHost.Batch("s", 6, 20), default);
        Assert.That(await again.ValuesAsync("n1"), Is.EqualTo(Enumerable.Range(1, 30).Select(i => (double)i)));
    }

    [Test]
    public async Task The_same_sequence_of_another_node_or_stream_is_another_record()
    {
        await using var hub = await TelemetryHost.StartAsync(directory);
        await Task.WhenAll(
            from node in new[] { "n1", "n2" } from stream in new[] { "a", "b" } select hub.Ingest.AcceptAsync(node, TelemetryHost.Batch(stream, 1, 5), default));
        Assert.That(await hub.ValuesAsync(), Has.Count.EqualTo(20));
        Assert.That(await hub.ValuesAsync("n2"), Has.Count.EqualTo(10));
    }

    [Test]
    public async Task Many_nodes_at_once_are_all_stored()
    {
        await using var hub = await TelemetryHost.StartAsync(directory);
        await Task.WhenAll(
            from node in Enumerable.Range(0, 100) from batch in Enumerable.Range(0, 5) select hub.Ingest.AcceptAsync($"n{node}", TelemetryHost.Batch("s", (ulong)(batch * 10) + 1, 10), default));
        Assert.That(await hub.ValuesAsync(), Has.Count.EqualTo(5000));
        Assert.That(await hub.ValuesAsync("n42"), Is.EqualTo(Enumerable.Range(1, 50).Select(i => (double)i)));
    }

    [Test]
    public async Task Says_how_many_records_are_missing()
    {
        await using var hub = await TelemetryHost.StartAsync(directory);
        await hub.Ingest.AcceptAsync("n1", TelemetryHost.Batch("s", 101, 5, dropped: 100), default);
        await hub.Ingest.AcceptAsync("n2", TelemetryHost.Batch("s", 1, 5), default);
        await hub.Ingest.AcceptAsync("n3", TelemetryHost.Batch("s", 8, 5), default);
        var now = TimeProvider.System.GetUtcNow();
        var result = await hub.Query.RunAsync(null, null, NoAttributes, (now.AddHours(-1), now.AddHours(1)), null, 1, default);
        Assert.That(result.Truncated, Is.True);
        Assert.That(result.MissingRecords, Is.EqualTo(new Dictionary<string, long> { ["n1"] = 100, ["n3"] = 7 }));
    }

    [Test]
    public async Task Refuses_what_is_no_batch_and_goes_on()
    {
        await using var hub = await TelemetryHost.StartAsync(directory);
        byte[][] wrong =
        [
            [0xff, 0xff, 0xff],
            [],
            new TelemetryBatch { Stream = "s", FirstSequence = 0 }.ToByteArray(),
            new TelemetryBatch { Stream = "s'; DROP TABLE samples; --", FirstSequence = 1 }.ToByteArray(),
            new TelemetryBatch { Stream = "s", FirstSequence = ulong.MaxValue }.ToByteArray(),
            TelemetryHost.Batch("s", 1, 3)[..^4],
        ];
        foreach (var payload in wrong)
        {
            Assert.That(async () => await hub.Ingest.AcceptAsync("n", payload, default), Throws.TypeOf<TelemetryRefusedException>());
        }

        Assert.That(hub.Ingest.RefusedBatches, Is.EqualTo(wrong.Length));
        await hub.Ingest.AcceptAsync("n", TelemetryHost.Batch("s", 1, 3), default);
        Assert.That(await hub.ValuesAsync(), Has.Count.EqualTo(3));
    }

    [Test]
    public async Task Passes_over_a_record_that_cannot_be_read_and_a_value_that_is_no_number()
    {
        await using var hub = await TelemetryHost.StartAsync(directory);
        var batch = TelemetryBatch.Parser.ParseFrom(TelemetryHost.Batch("s", 1, 3));
        batch.Records[1] = ByteString.CopyFrom(0xff, 0x01);
        var odd = new TelemetryRecord { BootId = "b" };
        odd.Samples.Add(new Sample { Metric = "m", Value = double.NaN });
        odd.Samples.Add(new Sample { Metric = "m", Value = 4 });
        batch.Records.Add(odd.ToByteString());
        await hub.Ingest.AcceptAsync("n", batch.ToByteArray(), default);
        Assert.That(await hub.ValuesAsync(), Is.EqualTo(new[] { 1.0, 3.0, 4.0 }));
    }

    [Test]
    public async Task Filters_by_attributes_and_averages_over_buckets()
    {
        await using var hub = await TelemetryHost.StartAsync(directory);
        var start = new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);
        var batch = new TelemetryBatch { Stream = "s", FirstSequence = 1 };
        for (var i = 0; i < 120; i++)
        {
            var record = new TelemetryRecord { TimeUnixMs = start.AddSeconds(i).ToUnixTimeMilliseconds(), BootId = "b", UptimeMs = i };
            record.Samples.Add(new Sample { Metric = "container.memory.usage", Value = i, Attributes = { { "workload", "web" }, { "container", "a\"b" } } });
            record.Samples.Add(new Sample { Metric = "container.memory.usage", Value = -1, Attributes = { { "workload", "webshop" } } });
            batch.Records.Add(record.ToByteString());
        }

        await hub.Ingest.AcceptAsync("n", batch.ToByteArray(), default);
        var web = new Dictionary<string, string> { ["workload"] = "web", ["container"] = "a\"b" };
        var result = await hub.Query.RunAsync("n", "container.memory.usage", web, (start, start.AddHours(1)), TimeSpan.FromMinutes(1), 10, default);
        Assert.That(result.Points.Select(point => (point.Time, point.Value)), Is.EqualTo(new[] { (start, 29.5), (start.AddMinutes(1), 89.5) }));
        Assert.That(result.Points[0].Attributes, Is.EqualTo(web));
        Assert.That(result.Truncated, Is.False);
        var hostile = await hub.Query.RunAsync("n' OR 1=1 --", "%", NoAttributes, (start, start.AddHours(1)), null, 10, default);
        Assert.That(hostile.Points, Is.Empty);
    }

    [Test]
    public async Task Begins_anew_when_the_file_is_damaged_and_keeps_it_for_a_look([Values(0, 4096, 12288)] int at)
    {
        var path = Path.Combine(directory, "telemetry.duckdb");
        await using (var hub = await TelemetryHost.StartAsync(directory))
        {
            await hub.Ingest.AcceptAsync("n", TelemetryHost.Batch("s", 1, 1000), default);
        }

        var bytes = File.ReadAllBytes(path);
        bytes.AsSpan(Math.Min(at, bytes.Length - 4096), 4096).Fill(0x5a);
        File.WriteAllBytes(path, bytes);
        await using var again = await TelemetryHost.StartAsync(directory);
        try
        {
            // Damage deep in the file shows only to who reads there.
            await again.ValuesAsync();
        }
        catch (TelemetryUnavailableException e)
        {
            Assert.That(e.Message, Does.Contain("Corrupt"));
        }

        await again.Ingest.AcceptAsync("n", TelemetryHost.Batch("s2", 1, 5), default);
        Assert.That(await again.ValuesAsync(), Has.Count.GreaterThanOrEqualTo(5));
        Assert.That(again.Reported, Is.EqualTo(again.Database.Quarantined));
        Assert.That(again.Reported, Is.Not.Empty);
        Assert.That(File.Exists(Path.Combine(directory, "quarantine", again.Reported[^1])), Is.True);
    }

    [Test]
    public async Task Begins_anew_when_a_query_or_a_commit_meets_damage_that_opening_did_not()
    {
        const int headers = 3 * 4096;
        const int block = 256 * 1024;
        await using (var hub = await TelemetryHost.StartAsync(directory))
        {
            await hub.Ingest.AcceptAsync("n", TelemetryHost.Batch("s", 1, 5000), default);
        }

        var path = Path.Combine(directory, "telemetry.duckdb");
        var bytes = File.ReadAllBytes(path);
        var found = 0;
        for (var at = headers; at < bytes.Length; at += block)
        {
            var one = Directory.CreateDirectory(Path.Combine(directory, $"block-{at}")).FullName;
            byte[] damaged = [.. bytes];
            damaged[at + 100] ^= 1;
            File.WriteAllBytes(Path.Combine(one, "telemetry.duckdb"), damaged);
            await using var hub = await TelemetryHost.StartAsync(one);
            Func<Task>[] attempts =
            [
                () => hub.ValuesAsync(),
                () => hub.Ingest.AcceptAsync("n", TelemetryHost.Batch("s", 1, 5), default),
                () => hub.Ingest.AcceptAsync("n", TelemetryHost.Batch("other", 1, 5), default),
            ];
            foreach (var attempt in attempts)
            {
                try
                {
                    await attempt();
                }
                catch (TelemetryUnavailableException e)
                {
                    Assert.That(e.ToString(), Does.Contain("Corrupt"));
                    found++;
                }
            }

            // A node sends again what was not acknowledged; by now the damage has been met, so this must succeed.
            await hub.Ingest.AcceptAsync("n", TelemetryHost.Batch("other", 1, 5), default);
            Assert.That(await hub.ValuesAsync(), Has.Count.GreaterThanOrEqualTo(5));
            Assert.That(hub.Reported, Is.EqualTo(hub.Database.Quarantined));
        }

        Assert.That(found, Is.GreaterThan(0));
    }
}
