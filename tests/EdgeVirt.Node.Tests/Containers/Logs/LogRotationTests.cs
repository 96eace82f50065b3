using System.Text;
using EdgeVirt.Node.Containers;
using EdgeVirt.Node.Containers.Logs;
using EdgeVirt.Node.Tests.Containers.Images;
using EdgeVirt.Testing;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace EdgeVirt.Node.Tests.Containers.Logs;

internal sealed class LogRotationTests
{
    private static readonly byte[] Line = Encoding.ASCII.GetBytes($"2026-01-01T00:00:00.000000000+00:00 stdout F {new string('x', 954)}\n");
    private readonly FakeTimeProvider time = new();
    private TempDirectory directory = null!;
    private NodeDirectories directories = null!;
    private RecordStore records = null!;

    [SetUp]
    public void SetUp()
    {
        directory = new TempDirectory();
        directories = new NodeDirectories(new NodeOptions { DataDir = directory.Combine("data"), RunDir = directory.Combine("run") });
        records = new RecordStore(directories, NullLogger<RecordStore>.Instance);
        records.Load();
    }

    [TearDown]
    public void TearDown() => directory.Dispose();

    [Test]
    public void Many_restarts_leave_the_logs_of_two_runs()
    {
        using var rotation = NewAgent(new LogsOptions());
        for (var attempt = 0; attempt < 50; attempt++)
        {
            var record = Put("web", attempt);
            Write(rotation.Begin(record), lines: 3);
            rotation.End(record);
            if (attempt > 1)
            {
                records.RemoveContainer($"web-u-main-{attempt - 2}");
            }
        }

        Assert.That(Directory.GetFileSystemEntries(directories.LiveLogs), Is.Empty);
        Assert.That(Directory.GetFiles(directories.Containers, "*", SearchOption.AllDirectories).Select(path => Path.GetRelativePath(directories.Containers, path)), Is.EquivalentTo(
            ["web-u-main-48/container.json", "web-u-main-48/ctr.log.1", "web-u-main-49/container.json", "web-u-main-49/ctr.log.1"]));
    }

    [Test]
    public void All_together_stay_below_the_total_and_what_is_written_is_never_touched()
    {
        var log = new LogCollector<LogRotation>();
        using var rotation = NewAgent(new LogsOptions { MaxSizeBytes = 256 << 10, MaxTotalSizeBytes = 5_000 }, log);
        var ended = Put("old", 0);
        Write(rotation.Begin(ended), lines: 3);
        rotation.End(ended);
        records.Write(ended with { Exit = new Contracts.Resources.ContainerExit { Code = 0, Reason = "Completed", FinishedAt = time.GetUtcNow() } });
        Write(rotation.Begin(Put("web", 0)), lines: 4);
        time.Advance(TimeSpan.FromSeconds(10));
        Assert.That(LogPieces.In(directories.Container(ended.Id)), Is.Empty);
        Assert.That(LogPieces.In(directories.Container("web-u-main-0"))[0].Length, Is.EqualTo(4 * Line.Length));
        Assert.That(log.Lines.Single(), Does.Contain("maxTotalSize"));
        Write(rotation.Begin(Put("other", 0)), lines: 4);
        time.Advance(TimeSpan.FromSeconds(10));
        Assert.That(LogPieces.In(directories.Container("other-u-main-0"))[0].Length, Is.EqualTo(4 * Line.Length), "both are being written");
    }

    [Test]
    public void An_agent_that_begins_takes_away_names_that_nobody_writes()
    {
        using (var rotation = NewAgent(new LogsOptions()))
        {
            Write(rotation.Begin(Put("web", 0)), lines: 1);
            rotation.Begin(Put("gone", 0));
        }

        records.RemoveContainer("gone-u-main-0");
        using var next = NewAgent(new LogsOptions());
        Assert.That(Directory.GetFiles(directories.LiveLogs).Select(path => Path.GetFileName(path)), Is.EquivalentTo(["web-u-main-0.log", "web-u-main-0.log.tmp"]));
    }

    [Test]
    public void Surplus_is_the_oldest_of_ended_runs_then_the_oldest_of_others()
    {
        StoredPiece[] pieces = [Piece("open", 9, isOpen: true), Piece("late", 3), Piece("early", 1), Piece("ended late", 8, isEnded: true), Piece("ended", 2, isEnded: true)];
        string[] order = ["ended", "ended late", "early", "late"];
        Assert.That(LogTotal.Surplus(pieces, 50), Is.Empty);
        for (var most = 49; most >= 0; most--)
        {
            var surplus = LogTotal.Surplus(pieces, most).Select(piece => piece.Path);
            Assert.That(surplus, Is.EqualTo(order.Take((59 - most) / 10)), $"of {most}");
        }

        static StoredPiece Piece(string name, int hour, bool isEnded = false, bool isOpen = false) => new(name, 10, DateTime.UnixEpoch.AddHours(hour), isEnded, isOpen);
    }

    private LogRotation NewAgent(LogsOptions options, LogCollector<LogRotation>? log = null)
    {
        var rotation = new LogRotation(directories, records, options, time, log ?? new LogCollector<LogRotation>());
        rotation.Recover();
        return rotation;
    }

    private ContainerRecord Put(string workload, int attempt)
    {
        var record = new ContainerRecord
        {
            Id = $"{workload}-u-main-{attempt}", SandboxId = $"{workload}-u", Workload = workload, Uid = "u", Container = "main", Attempt = attempt, Hash = "h", ImageDigest = "d",
        };
        records.Put(record);
        return record;
    }

    private static void Write(LogTarget target, int lines)
    {
        using var file = new FileStream(target.Path, FileMode.Append, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete);
        for (; lines > 0; lines--)
        {
            file.Write(Line);
        }
    }
}
