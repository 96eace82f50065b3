using System.Globalization;
using EdgeVirt.Linux.Files;
using EdgeVirt.Node.Containers.Logs;
using EdgeVirt.Testing;

namespace EdgeVirt.Node.Tests.Containers.Logs;

internal sealed class RotatedLogTests
{
    private const int MaxSize = 1000;
    private TempDirectory directory = null!;
    private string pieces = null!;
    private string live = null!;
    private RotatedLog log = null!;
    private FakeMonitor monitor = null!;
    private LogReader reader = null!;

    [SetUp]
    public void SetUp()
    {
        directory = new TempDirectory();
        pieces = directory.Subdirectory("container");
        live = Path.Combine(directory.Subdirectory("logs"), "web.log");
        log = new RotatedLog(live, pieces);
        log.Begin();
        monitor = new FakeMonitor(live, MaxSize);
        reader = new LogReader(() => LogPieces.In(pieces));
    }

    [TearDown]
    public void TearDown()
    {
        reader.Dispose();
        monitor.Dispose();
        directory.Dispose();
    }

    [Test]
    public void Nothing_is_lost_or_read_twice_while_files_turn_over()
    {
        var read = new List<int?>();
        for (var turn = 0; turn < 20; turn++)
        {
            monitor.Write(7);
            read.AddRange(Read());
            monitor.WriteTurns(1);
            Assert.That(log.Settle(keep: 100), Is.True);
            read.AddRange(Read());
        }

        Assert.That(read, Is.EqualTo(Numbers(0, monitor.Next)));
    }

    [Test]
    public void One_file_that_turns_over_while_nobody_looks_is_kept()
    {
        monitor.WriteTurns(1);
        Assert.That(new RotatedLog(live, pieces).Settle(keep: 10), Is.True, "by an agent that has just begun");
        Assert.That(Read(), Is.EqualTo(Numbers(0, monitor.Next)));
    }

    [Test]
    public void What_was_lost_while_nobody_looked_is_said()
    {
        monitor.WriteTurns(4);
        Assert.That(log.Settle(keep: 10), Is.False);
        var read = Read();
        var gap = read.IndexOf(null);
        Assert.That(gap, Is.GreaterThan(0), "the file that was being written and the one that stood ready are kept");
        Assert.That(read.Take(gap), Is.EqualTo(Numbers(0, gap)));
        Assert.That(read.Skip(gap + 1), Is.EqualTo(Numbers(monitor.Next - (read.Count - gap - 1), read.Count - gap - 1)));
        Assert.That(read[gap + 1], Is.GreaterThan(read[gap - 1]!.Value + 1));
    }

    [TestCase(1)]
    [TestCase(3)]
    public void Keeps_the_newest_files(int keep)
    {
        for (var turn = 0; turn < 10; turn++)
        {
            monitor.WriteTurns(1);
            log.Settle(keep);
        }

        var kept = LogPieces.In(pieces);
        Assert.That(kept.Count(piece => piece.Length > 0), Is.EqualTo(keep));
        Assert.That(kept.Sum(piece => piece.Length), Is.LessThanOrEqualTo(keep * MaxSize));
        var read = Read();
        Assert.That(read, Is.EqualTo(Numbers(monitor.Next - read.Count, read.Count)), "what is too old to be kept is no gap");
    }

    [Test]
    public void Who_reads_too_slowly_is_told()
    {
        monitor.Write(1);
        Assert.That(Read(), Is.EqualTo(Numbers(0, 1)));
        for (var turn = 0; turn < 10; turn++)
        {
            monitor.WriteTurns(1);
            log.Settle(keep: 2);
        }

        var read = Read();
        var gap = read.IndexOf(null);
        Assert.That(read.Count(number => number is null), Is.EqualTo(1));
        Assert.That(read.Take(gap), Is.EqualTo(Numbers(1, gap)), "the file that it has open is read to its end");
        Assert.That(read[^1], Is.EqualTo(monitor.Next - 1));
    }

    [TestCase(0)]
    [TestCase(1)]
    [TestCase(20)]
    [TestCase(75)]
    [TestCase(1000)]
    public void Gives_the_last_lines_of_all_files(int tail)
    {
        for (var turn = 0; turn < 5; turn++)
        {
            monitor.WriteTurns(1);
            log.Settle(keep: 10);
        }

        reader.SeekToTail(tail);
        var expected = Math.Min(tail, monitor.Next);
        Assert.That(Read(), Is.EqualTo(Numbers(monitor.Next - expected, expected)));
        monitor.Write(2);
        Assert.That(Read(), Is.EqualTo(Numbers(monitor.Next - 2, 2)));
    }

    [Test]
    public void What_an_agent_that_was_killed_left_half_made_is_used()
    {
        File.Delete(live + ".tmp");
        monitor.Write(3);
        new RotatedLog(live, pieces).Settle(keep: 10);
        monitor.WriteTurns(1);
        log.Settle(keep: 10);
        Assert.That(Read(), Is.EqualTo(Numbers(0, monitor.Next)));
    }

    [Test]
    public void What_an_agent_that_was_killed_had_made_ready_is_read_once_it_has_its_number([Values] bool isLineLost)
    {
        File.Delete(live + ".tmp");
        File.Delete(LogPieces.PathOf(pieces, 2));
        if (isLineLost)
        {
            monitor.WriteTurns(1);
        }

        File.WriteAllBytes(LogPieces.UnnumberedIn(pieces), []);
        Assert.That(HardLinks.TryCreate(LogPieces.UnnumberedIn(pieces), live + ".tmp"), Is.True);
        if (isLineLost)
        {
            monitor.WriteTurns(1);
        }

        var read = Read();
        new RotatedLog(live, pieces).Settle(keep: 10);
        monitor.WriteTurns(1);
        log.Settle(keep: 10);
        read.AddRange(Read());
        if (!isLineLost)
        {
            Assert.That(read, Is.EqualTo(Numbers(0, monitor.Next)));
            return;
        }

        var gap = read.IndexOf(null);
        Assert.That(read.Take(gap), Is.EqualTo(Numbers(0, gap)));
        Assert.That(read.Skip(gap + 1), Is.EqualTo(Numbers(2 * gap, monitor.Next - (2 * gap))));
    }

    [Test]
    public void A_piece_that_was_begun_after_it_was_looked_at_is_not_passed_over()
    {
        monitor.WriteTurns(1);
        log.Settle(keep: 10);
        monitor.WriteTurns(1);
        log.Settle(keep: 10);
        var looks = 0;
        using var late = new LogReader(() => [.. LogPieces.In(pieces).Select(piece => piece.Number == 2 && looks++ == 1 ? piece with { Length = 0 } : piece)]);
        Assert.That(ReadOf(late), Is.EqualTo(Numbers(0, monitor.Next)));
    }

    [Test]
    public void A_run_that_ended_has_its_lines_and_nothing_else()
    {
        monitor.WriteTurns(1);
        log.Settle(keep: 10);
        monitor.WriteTurns(1);
        log.End(keep: 10);
        Assert.That(Directory.GetFiles(Path.GetDirectoryName(live)!), Is.Empty);
        Assert.That(LogPieces.In(pieces).Select(piece => piece.Number), Is.EqualTo([1, 2, 3]));
        Assert.That(Read(), Is.EqualTo(Numbers(0, monitor.Next)));
        log.End(keep: 10);
        Assert.That(LogPieces.In(pieces), Has.Count.EqualTo(3));
    }

    [Test]
    public void A_run_whose_pieces_are_gone_ends_all_the_same()
    {
        Directory.Delete(pieces, recursive: true);
        log.End(keep: 10);
        Assert.That(Directory.GetFiles(Path.GetDirectoryName(live)!), Is.Empty);
    }

    [Test]
    public void What_was_left_to_the_next_agent_is_not_touched()
    {
        log.Leave();
        monitor.WriteTurns(1);
        Assert.That(log.Settle(keep: 10), Is.True);
        Assert.That(LogPieces.In(pieces).Select(piece => piece.Number), Is.EqualTo([1, 2]));
        Assert.That(new RotatedLog(live, pieces).Settle(keep: 10), Is.True);
        Assert.That(LogPieces.In(pieces).Select(piece => piece.Number), Is.EqualTo([1, 2, 3]));
    }

    [Test]
    public async Task However_fast_it_is_written_lines_are_in_order_once_and_no_gap_is_silent()
    {
        const int Lines = 20_000;
        monitor.Write(1);
        var read = Read();
        var writing = Task.Run(() => monitor.Write(Lines));
        while (!writing.IsCompleted)
        {
            log.Settle(keep: 3);
            read.AddRange(Read());
        }

        await writing;
        log.Settle(keep: 3);
        read.AddRange(Read());
        Assert.That(read[^1], Is.EqualTo(Lines));
        foreach (var (before, number) in read.Zip(read.Skip(1)))
        {
            Assert.That(number, before is null ? Is.Not.Null : Is.Null.Or.EqualTo(before + 1), $"after {before}");
        }

        Assert.That(read.OfType<int>(), Is.Ordered.And.Unique);
    }

    // Null: a message that lines may be missing.
    private List<int?> Read() => ReadOf(reader);

    private static List<int?> ReadOf(LogReader reader) => [.. reader.ReadNew().Select(line => line.Missing ? (int?)null : int.Parse(line.Text.ToStringUtf8(), CultureInfo.InvariantCulture))];

    private static IEnumerable<int?> Numbers(int first, int count) => Enumerable.Range(first, count).Select(number => (int?)number);
}
