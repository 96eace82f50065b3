using EdgeVirt.Contracts.Api;
using EdgeVirt.Hub.Telemetry;
using Microsoft.Extensions.Time.Testing;

namespace EdgeVirt.Hub.Tests.Telemetry;

public sealed class TelemetryRetentionTests
{
    private const int MiB = 1 << 20;
    private static readonly TimeSpan Age = TimeSpan.FromDays(30);
    private static readonly DateTimeOffset Start = new(2026, 6, 1, 0, 0, 0, TimeSpan.Zero);

    private FakeTimeProvider time = null!;
    private string directory = "";

    [SetUp]
    public void MakeDirectory()
    {
        directory = Directory.CreateTempSubdirectory("telemetry").FullName;
        time = new FakeTimeProvider(Start);
    }

    [TearDown]
    public void RemoveDirectory() => Directory.Delete(directory, recursive: true);

    [Test, CancelAfter(60_000)]
    public async Task Deletes_what_is_past_its_age_as_time_goes_by(CancellationToken ct)
    {
        await using var hub = await TelemetryHost.StartAsync(directory, time);
        using var retention = hub.Retention(Age);
        await retention.StartAsync(ct);
        await IngestAsync(hub, 1, 10);
        time.Advance(TimeSpan.FromDays(20));
        await IngestAsync(hub, 11, 10);
        Assert.That(await hub.ValuesAsync(), Has.Count.EqualTo(20), "nothing is old enough yet");
        time.Advance(TimeSpan.FromDays(10));
        while ((await hub.MeasureAsync()).Samples > 10)
        {
            time.Advance(TelemetryRetention.Interval);
            await Task.Delay(20, ct);
        }

        Assert.That(await hub.ValuesAsync(), Is.EqualTo(Enumerable.Range(11, 10).Select(i => (double)i)));
        await retention.StopAsync(ct);
    }

    [Test]
    public async Task Stores_no_record_again_that_was_deleted_also_after_a_restart()
    {
        await using (var hub = await TelemetryHost.StartAsync(directory, time))
        {
            await IngestAsync(hub, 1, 10);
            await IngestAsync(hub, 21, 10);
            time.Advance(Age + TimeSpan.FromDays(1));
            using var retention = hub.Retention(Age);
            await retention.PassAsync(default);
            Assert.That(await hub.ValuesAsync(), Is.Empty);
            await IngestAsync(hub, 1, 10);
            Assert.That(await hub.ValuesAsync(), Is.Empty);
        }

        await using var again = await TelemetryHost.StartAsync(directory, time);
        await IngestAsync(again, 1, 35);
        Assert.That(
            await again.ValuesAsync(),
            Is.EqualTo(Enumerable.Range(11, 10).Concat(Enumerable.Range(31, 5)).Select(i => (double)i)),
            "what was missing is still taken, what was deleted is not");
        Assert.That((await QueryAsync(again, Start)).MissingRecords, Is.Empty);
    }

    [Test]
    public async Task Says_up_to_when_samples_were_deleted_to_who_asks_for_that_time()
    {
        await using var hub = await TelemetryHost.StartAsync(directory, time);
        using var retention = hub.Retention(Age);
        await IngestAsync(hub, 1, 10);
        await retention.PassAsync(default);
        Assert.That((await QueryAsync(hub, Start.AddDays(-1))).ErasedUpTo, Is.Null);
        time.Advance(Age + TimeSpan.FromHours(1));
        await IngestAsync(hub, 11, 10);
        await retention.PassAsync(default);
        Assert.That((await QueryAsync(hub, Start.AddDays(-1))).ErasedUpTo, Is.EqualTo(Start));
        Assert.That((await QueryAsync(hub, Start.AddDays(1))).ErasedUpTo, Is.Null, "the answer is complete");
    }

    [Test]
    public async Task Deletes_the_oldest_when_more_is_in_use_than_allowed_and_uses_the_space_again()
    {
        const int most = 4 * MiB;
        await using var hub = await TelemetryHost.StartAsync(directory, time);
        using var retention = hub.Retention(null, most);
        var file = new FileInfo(Path.Combine(directory, "telemetry.duckdb"));
        var sequence = 1UL;
        var longest = 0L;
        for (var round = 0; round < 6; round++)
        {
            for (var batch = 0; batch < 30; batch++, sequence += 10_000)
            {
                await IngestAsync(hub, sequence, 10_000);
                time.Advance(TimeSpan.FromHours(1));
            }

            await retention.PassAsync(default);
            file.Refresh();
            longest = round < 3 ? Math.Max(longest, file.Length) : longest;
            TestContext.Out.WriteLine($"round {round}: {await hub.MeasureAsync()}, file {file.Length}");
        }

        var (used, samples) = await hub.MeasureAsync();
        var points = (await QueryAsync(hub, Start)).Points;
        Assert.That(used, Is.LessThanOrEqualTo(most + MiB), "a row group that is erased in part stays whole");
        Assert.That(samples, Is.GreaterThan(100_000));
        Assert.That(points[0].Value, Is.EqualTo(sequence - (ulong)samples), "only the oldest are gone");
        Assert.That(file.Length, Is.LessThanOrEqualTo(longest * 1.25), "the file does not grow on");
    }

    [Test]
    public async Task Takes_in_telemetry_while_much_is_deleted()
    {
        await using var hub = await TelemetryHost.StartAsync(directory, time);
        for (var batch = 0UL; batch < 60; batch++)
        {
            await IngestAsync(hub, (batch * 10_000) + 1, 10_000);
        }

        time.Advance(Age + TimeSpan.FromDays(1));
        using var retention = hub.Retention(Age);
        var pass = retention.PassAsync(default);
        for (var batch = 0UL; batch < 20; batch++)
        {
            await IngestAsync(hub, 600_001 + (batch * 10), 10);
        }

        await pass;
        Assert.That(await hub.ValuesAsync(), Is.EqualTo(Enumerable.Range(600_001, 200).Select(i => (double)i)));
    }

    [Test]
    public void Zero_is_without_limit() => Assert.That(
        RetentionLimits.Of(new HubOptions { DataDir = "/d", TelemetryRetentionDays = 0, TelemetryMaxGib = 0 }), Is.EqualTo(new RetentionLimits(null, null)));

    private Task IngestAsync(TelemetryHost hub, ulong first, int count) =>
        hub.Ingest.AcceptAsync("n", TelemetryHost.Batch("s", first, count, at: time.GetUtcNow()), default);

    private Task<TelemetryQueryResult> QueryAsync(TelemetryHost hub, DateTimeOffset from) =>
        hub.Query.RunAsync(null, null, new Dictionary<string, string>(), (from, time.GetUtcNow().AddDays(1)), null, 1, default);
}
