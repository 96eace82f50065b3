using EdgeVirt.Node.Telemetry;
using Microsoft.Extensions.Logging.Abstractions;

namespace EdgeVirt.Node.Tests.Telemetry;

public sealed class OutboxTests
{
    private string directory = "";

    [SetUp]
    public void MakeDirectory() => directory = Directory.CreateTempSubdirectory("outbox").FullName;

    [TearDown]
    public void RemoveDirectory() => Directory.Delete(directory, recursive: true);

    [Test, CancelAfter(60_000)]
    public async Task Many_callers_share_commits_and_every_record_is_there_once(CancellationToken ct)
    {
        await using (var outbox = OpenOnDisk())
        {
            await Task.WhenAll(Enumerable.Range(0, 50).Select(caller => Task.Run(
                async () =>
                {
                    for (var i = 0; i < 20; i++)
                    {
                        Assert.That(await outbox.AppendAsync(System.Text.Encoding.UTF8.GetBytes($"{caller}/{i}"), ct), Is.True);
                    }
                },
                ct)));
            Assert.That(outbox.Pending, Is.EqualTo(1000));
        }

        using var log = OpenLog();
        var texts = log.Drain(maxRecords: 500, maxBytes: 128 * 1024).Texts().ToList();
        Assert.That(texts, Is.EquivalentTo(Enumerable.Range(0, 50).SelectMany(caller => Enumerable.Range(0, 20).Select(i => $"{caller}/{i}"))));
        Assert.That(texts.Where(text => text.StartsWith("7/", StringComparison.Ordinal)), Is.EqualTo(Enumerable.Range(0, 20).Select(i => $"7/{i}")), "a caller's order holds");
    }

    [Test, CancelAfter(60_000)]
    public async Task A_group_larger_than_a_write_arrives_whole(CancellationToken ct)
    {
        await using var outbox = OpenOnDisk();
        var records = Enumerable.Range(0, 40).Select(i => (ReadOnlyMemory<byte>)Enumerable.Repeat((byte)i, 50_000).ToArray()).ToList();
        Assert.That(await outbox.AppendAsync(records, ct), Is.True);
        Assert.That(outbox.Pending, Is.EqualTo(40));
        OutboxPosition? after = null;
        var seen = 0;
        while (outbox.Peek(after, 500, 128 * 1024) is { } batch)
        {
            using (batch)
            {
                Assert.That(batch.Records.Sum(record => record.Length), Is.LessThanOrEqualTo(128 * 1024));
                foreach (var record in batch.Records)
                {
                    Assert.That(record.Span.SequenceEqual(records[seen++].Span), Is.True);
                }

                after = batch.End;
            }
        }

        Assert.That(seen, Is.EqualTo(40));
    }

    [Test]
    public async Task Refuses_a_record_that_is_empty_or_too_large()
    {
        await using var outbox = OpenOnDisk();
        Assert.That(async () => await outbox.AppendAsync(default(ReadOnlyMemory<byte>), CancellationToken.None), Throws.ArgumentException);
        Assert.That(async () => await outbox.AppendAsync(new byte[OutboxFormat.MaxPayloadBytes + 1], CancellationToken.None), Throws.ArgumentException);
    }

    [Test]
    public void A_damaged_segment_on_disk_goes_to_quarantine()
    {
        using (var log = OpenLog())
        {
            log.Append("one", "two", "three");
        }

        var path = Directory.EnumerateFiles(Path.Combine(directory, "outbox"), "*.seg").Single();
        var bytes = File.ReadAllBytes(path);
        bytes[OutboxFormat.RecordsStart + OutboxFormat.RecordOverhead + 1] ^= 1;
        File.WriteAllBytes(path, bytes);
        using var again = OpenLog();
        Assert.That(again.Drain().Texts(), Is.EqualTo(new[] { "two", "three" }));
        Assert.That(again.Missing.Lost, Is.EqualTo(1));
        Assert.That(File.ReadAllBytes(Path.Combine(directory, "quarantined")), Is.EqualTo(bytes));
    }

    private Outbox OpenOnDisk() => new(OpenLog(), TimeProvider.System);

    private OutboxLog OpenLog() => OutboxLog.Open(
        new DiskOutboxStorage(Path.Combine(directory, "outbox"), path => File.Move(path, Path.Combine(directory, "quarantined"), overwrite: true)),
        new OutboxLimits(64 << 20),
        NullLogger.Instance);
}
