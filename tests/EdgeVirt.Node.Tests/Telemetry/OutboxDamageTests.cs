namespace EdgeVirt.Node.Tests.Telemetry;

public sealed class OutboxDamageTests
{
    private const string FirstSegment = "0000000000000001.seg";
    private const string SecondSegment = "0000000000000002.seg";

    [Test]
    public void Gives_back_in_order_what_was_appended_across_segments_and_restarts()
    {
        var disk = new PowerCutStorage(1);
        var texts = Fill(disk, 200);
        using var log = disk.OpenLog();
        var drained = log.Drain();
        Assert.That(drained.Texts(), Is.EqualTo(texts));
        Assert.That(drained.Select(record => record.Sequence), Is.EqualTo(Enumerable.Range(1, 200).Select(i => (ulong)i)));
        Assert.That(log.Pending, Is.Zero);
        Assert.That(disk.Names.Count(name => name.EndsWith(".seg", StringComparison.Ordinal)), Is.EqualTo(1), "acknowledged segments go");
    }

    [Test]
    public void Resends_nothing_that_was_acknowledged_before_a_clean_restart()
    {
        var disk = new PowerCutStorage(1);
        Fill(disk, 20);
        Guid stream;
        using (var log = disk.OpenLog())
        {
            stream = log.Stream;
            using var batch = log.Peek(null, 5, 1000)!;
            log.Acknowledge(batch);
        }

        using var again = disk.OpenLog();
        Assert.That(again.Stream, Is.EqualTo(stream));
        Assert.That(again.Pending, Is.EqualTo(15));
        Assert.That(again.Drain()[0].Sequence, Is.EqualTo(6));
    }

    /// <summary>One flipped bit at every byte of a full segment: header, lengths, sequences, checksums, payloads.</summary>
    [Test]
    public void Survives_a_flipped_bit_at_every_byte_of_a_sealed_segment([Values(0, 7)] int bit)
    {
        var disk = new PowerCutStorage(1);
        var texts = Fill(disk, 60);
        var original = disk[FirstSegment];
        for (var at = 0; at < original.Length; at++)
        {
            var copy = Copy(disk);
            copy[FirstSegment] = Flip(original, at, bit);
            using var log = copy.OpenLog();
            var drained = log.Drain();
            var lost = texts.Except(drained.Texts()).Count();
            Assert.That(drained.Texts(), Is.SubsetOf(texts), $"byte {at}");
            Assert.That(lost, Is.LessThanOrEqualTo(1), $"byte {at}");
            Assert.That(log.Missing.Lost, Is.EqualTo((ulong)lost), $"byte {at}");
            Assert.That(copy.Quarantined, Does.Contain(FirstSegment), $"byte {at}");
        }
    }

    [Test]
    public void Survives_a_flipped_bit_at_every_byte_of_the_newest_segment_and_never_reuses_a_sequence()
    {
        var disk = new PowerCutStorage(1);
        var texts = Fill(disk, 12);
        var original = disk[FirstSegment];
        for (var at = 0; at < original.Length; at++)
        {
            var copy = Copy(disk);
            copy[FirstSegment] = Flip(original, at, 3);
            using var log = copy.OpenLog();
            Assert.That(log.Append("after"), Is.True);
            var drained = log.Drain();
            Assert.That(drained.Texts().SkipLast(1), Is.SubsetOf(texts), $"byte {at}");
            Assert.That(drained, Has.Count.GreaterThanOrEqualTo(12), $"byte {at}");
            Assert.That(drained[^1].Text, Is.EqualTo("after"));
            Assert.That(drained[^1].Stream, Is.Not.EqualTo(drained[0].Stream), $"byte {at}");
        }
    }

    [Test]
    public void Survives_a_segment_cut_at_every_length([Values] bool newest)
    {
        var disk = new PowerCutStorage(1);
        var texts = Fill(disk, newest ? 12 : 60);
        var original = disk[FirstSegment];
        for (var length = 0; length < original.Length; length += 3)
        {
            var copy = Copy(disk);
            copy[FirstSegment] = original[..length];
            using var log = copy.OpenLog();
            Assert.That(log.Append("after"), Is.True);
            var drained = log.Drain().Texts().ToList();
            Assert.That(drained.SkipLast(1), Is.SubsetOf(texts), $"length {length}");
            if (!newest)
            {
                Assert.That(log.Missing.Lost, Is.EqualTo((ulong)texts.Except(drained).Count()), $"length {length}");
            }
        }
    }

    [Test]
    public void Counts_the_records_of_a_segment_that_is_gone([Values(FirstSegment, SecondSegment)] string gone)
    {
        var disk = new PowerCutStorage(1);
        var texts = Fill(disk, 200);
        disk.Remove(gone);
        using (var log = disk.OpenLog())
        {
            var drained = log.Drain(acknowledge: false);
            Assert.That(log.Missing.Lost, Is.EqualTo((ulong)(200 - drained.Count)).And.GreaterThan(0));
            Assert.That(drained.Texts(), Is.SubsetOf(texts));
        }

        using var again = disk.OpenLog();
        var second = again.Drain();
        Assert.That(again.Missing.Lost, Is.EqualTo((ulong)(200 - second.Count)), "counted once, also after a restart");
    }

    [Test]
    public void Begins_a_new_stream_when_the_newest_segment_or_everything_is_gone([Values] bool everything)
    {
        var disk = new PowerCutStorage(1);
        Fill(disk, 100);
        Guid before;
        using (var log = disk.OpenLog())
        {
            before = log.Stream;
        }

        foreach (var name in disk.Names.Order().Where(name => everything || name == disk.Names.Where(n => n != "cursor").Max()).ToList())
        {
            disk.Remove(name);
        }

        using var again = disk.OpenLog();
        Assert.That(again.Stream, Is.Not.EqualTo(before));
        Assert.That(again.Append("new"), Is.True);
        Assert.That(again.Drain()[^1], Is.EqualTo((again.Stream, 1UL, "new")));
    }

    [Test]
    public void Survives_a_damaged_cursor()
    {
        var disk = new PowerCutStorage(1);
        var texts = Fill(disk, 50);
        var original = disk["cursor"];
        for (var at = 0; at < original.Length; at++)
        {
            var copy = Copy(disk);
            copy["cursor"] = Flip(original, at, 1);
            using var log = copy.OpenLog();
            Assert.That(log.Drain().Texts(), Is.EqualTo(texts), $"byte {at}");
        }
    }

    [Test]
    public void Drops_the_oldest_segments_at_the_cap_and_counts_them_durably()
    {
        var disk = new PowerCutStorage(1);
        ulong dropped;
        using (var log = disk.OpenLog(segmentBytes: 1000, maxBytes: 5000))
        {
            for (var i = 0; i < 500; i++)
            {
                log.Append($"record {i}");
            }

            dropped = log.Missing.Dropped;
            Assert.That(dropped, Is.GreaterThan(200));
            Assert.That(log.Pending + dropped, Is.EqualTo(500));
            Assert.That(disk.Names.Sum(name => disk[name].Length), Is.LessThan(6000));
        }

        using var again = disk.OpenLog(segmentBytes: 1000, maxBytes: 5000);
        Assert.That(again.Missing.Dropped, Is.EqualTo(dropped));
        using var batch = again.Peek(null, 10, 1000)!;
        Assert.That(batch.FirstSequence, Is.EqualTo(dropped + 1));
        Assert.That(batch.Dropped, Is.EqualTo(dropped));
    }

    [Test]
    public void Drops_and_counts_while_the_disk_is_full_and_goes_on_when_it_is_not()
    {
        var disk = new PowerCutStorage(1);
        using var log = disk.OpenLog();
        disk.FreeBytes = 3000;
        var stored = Enumerable.Range(0, 300).Select(i => $"record {i}").Where(text => log.Append(text)).ToList();
        Assert.That(stored, Has.Count.InRange(10, 290));
        Assert.That(log.Missing, Is.EqualTo(((ulong)(300 - stored.Count), 0UL)));
        disk.FreeBytes = long.MaxValue;
        Assert.That(log.Append("after"), Is.True);
        var drained = log.Drain();
        Assert.That(drained.Texts(), Is.EqualTo(stored.Append("after")));
        Assert.That(drained.Select(record => record.Sequence), Is.EqualTo(Enumerable.Range(1, drained.Count).Select(i => (ulong)i)), "what was dropped took no sequence");
    }

    [Test]
    public void Reports_what_a_stream_dropped_even_when_none_of_its_records_is_left()
    {
        var disk = new PowerCutStorage(1);
        Fill(disk, 100);
        disk["0000000000000099.seg"] = [1, 2, 3];
        using var log = disk.OpenLog(segmentBytes: 1000, maxBytes: 3000);
        for (var i = 0; i < 100; i++)
        {
            log.Append($"new {i}");
        }

        using var batch = log.Peek(null, 10, 1000)!;
        Assert.That(batch.Stream, Is.EqualTo(log.Stream));
        Assert.That(batch.Dropped, Is.EqualTo(200 - log.Pending));
    }

    private static List<string> Fill(PowerCutStorage disk, int count)
    {
        using var log = disk.OpenLog();
        var texts = Enumerable.Range(0, count).Select(i => $"record {i} of telemetry").ToList();
        foreach (var text in texts)
        {
            Assert.That(log.Append(text), Is.True);
        }

        return texts;
    }

    private static PowerCutStorage Copy(PowerCutStorage disk)
    {
        var copy = new PowerCutStorage(1);
        foreach (var name in disk.Names)
        {
            copy[name] = disk[name];
        }

        return copy;
    }

    private static byte[] Flip(byte[] bytes, int at, int bit)
    {
        byte[] flipped = [.. bytes];
        flipped[at] ^= (byte)(1 << bit);
        return flipped;
    }
}
