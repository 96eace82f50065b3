using System.Globalization;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.Containers;
using EdgeVirt.Node.Containers.Logs;
using EdgeVirt.Testing;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace EdgeVirt.Node.Tests.Containers.Logs;

internal sealed class MemoryLogsTests
{
    private const string Id = "web-u-main-0";
    private const int MaxSize = 1000;
    private readonly FakeTimeProvider time = new();
    private readonly List<string> failures = [];
    private TempDirectory directory = null!;
    private NodeDirectories directories = null!;
    private RecordStore records = null!;
    private MemoryLogs memory = null!;
    private RotatedLog log = null!;
    private FakeMonitor monitor = null!;

    [SetUp]
    public void SetUp()
    {
        directory = new TempDirectory();
        failures.Clear();
        var options = new NodeOptions { DataDir = directory.Combine("data"), RunDir = directory.Combine("run") };
        directories = new NodeDirectories(options);
        records = new RecordStore(directories, NullLogger<RecordStore>.Instance);
        records.Load();
        records.Put(new ContainerRecord
        {
            Id = Id, SandboxId = "web-u", Workload = "web", Uid = "u", Container = "main", Attempt = 0, Hash = "h", ImageDigest = "d",
            Logs = new LogsSpec { Storage = LogStorage.Memory, FlushIntervalSeconds = 60 },
        });
        Directory.CreateDirectory(directories.MemoryLogs);
        memory = NewAgent();
        memory.Begin(Id);
        log = new RotatedLog(directories.MemoryLog(Id), directories.MemoryPieces(Id));
        log.Begin();
        monitor = new FakeMonitor(directories.MemoryLog(Id), MaxSize);
    }

    [TearDown]
    public void TearDown()
    {
        monitor.Dispose();
        memory.Dispose();
        directory.Dispose();
    }

    [Test]
    public void Lines_go_to_the_disk_when_the_interval_is_over_and_not_before()
    {
        memory.Start();
        monitor.Write(3);
        time.Advance(TimeSpan.FromSeconds(50));
        Assert.That(OnDisk(), Is.Empty);
        time.Advance(TimeSpan.FromSeconds(10));
        Assert.That(OnDisk(), Is.EqualTo(Numbers(3)));
        monitor.Write(2);
        time.Advance(TimeSpan.FromSeconds(50));
        Assert.That(OnDisk(), Is.EqualTo(Numbers(3)), "the interval begins anew");
        time.Advance(TimeSpan.FromSeconds(10));
        Assert.That(OnDisk(), Is.EqualTo(Numbers(5)));
        Assert.That(failures, Is.Empty);
    }

    [Test]
    public void Both_places_are_read_as_one_log_before_while_and_after()
    {
        using var reader = new LogReader(() => LogPieces.Of(Id, directories));
        var read = new List<int>();
        for (var turn = 0; turn < 6; turn++)
        {
            monitor.WriteTurns(1);
            log.Settle(keep: 100);
            read.AddRange(Read(reader));
            if (turn % 2 == 1)
            {
                memory.Flush(Id);
            }
        }

        monitor.Write(3);
        read.AddRange(Read(reader));
        Assert.That(read, Is.EqualTo(Numbers(monitor.Next)));
        Assert.That(All(), Is.EqualTo(Numbers(monitor.Next)), "by one who comes new");
        Assert.That(LogPieces.In(directories.MemoryPieces(Id)).Count(piece => piece.Length > 0), Is.EqualTo(1), "what is complete and on the disk is freed");
    }

    [Test]
    public void A_power_cut_takes_what_was_not_flushed_and_nothing_else()
    {
        monitor.WriteTurns(1);
        log.Settle(keep: 100);
        memory.Flush(Id);
        var flushed = monitor.Next;
        monitor.Write(5);
        Directory.Delete(directories.MemoryLogs, recursive: true);
        Assert.That(All(), Is.EqualTo(Numbers(flushed)));
    }

    [Test]
    public void An_agent_that_was_killed_while_it_flushed_goes_on_where_it_was()
    {
        monitor.Write(4);
        memory.Flush(Id);
        monitor.Write(4);
        var piece = LogPieces.In(directories.MemoryPieces(Id))[0];
        File.WriteAllBytes(LogPieces.PathOf(directories.Container(Id), piece.Number), File.ReadAllBytes(piece.Path)[..^20]);
        NewAgent().Flush(Id);
        Assert.That(OnDisk(), Is.EqualTo(Numbers(8)));
    }

    [Test]
    public void Full_pieces_do_not_wait_for_the_interval()
    {
        memory.Start();
        for (var turn = 0; turn < 3; turn++)
        {
            monitor.WriteTurns(1);
            log.Settle(keep: 100);
            memory.Turned(Id);
        }

        Assert.That(OnDisk, Is.Not.Empty.After(10_000, 10));
    }

    [Test]
    public void The_limits_hold_on_the_disk()
    {
        records.Put(records.FindContainer(Id)! with { Logs = new LogsSpec { Storage = LogStorage.Memory, MaxSize = Size(256 << 10), MaxFiles = 3 } });
        for (var turn = 0; turn < 9; turn++)
        {
            monitor.WriteTurns(1);
            log.Settle(keep: 100);
            memory.Flush(Id);
        }

        Assert.That(LogPieces.In(directories.Container(Id)), Has.Count.EqualTo(3));
        var read = All();
        Assert.That(read, Is.EqualTo(Enumerable.Range(monitor.Next - read.Count, read.Count)), "what is too old is no gap");
    }

    [Test]
    public void An_agent_that_ends_leaves_everything_on_the_disk()
    {
        monitor.WriteTurns(1);
        log.Settle(keep: 100);
        monitor.Write(3);
        memory.Dispose();
        Assert.That(OnDisk(), Is.EqualTo(Numbers(monitor.Next)));
    }

    [Test]
    public void What_nobody_needs_any_more_leaves_memory()
    {
        monitor.Write(3);
        log.End(keep: 100);
        memory.Flush(Id);
        Assert.That(Directory.Exists(directories.MemoryPieces(Id)), Is.False, "the run has ended, and all of it is on the disk");
        Assert.That(OnDisk(), Is.EqualTo(Numbers(3)));
        memory.Begin(Id);
        records.RemoveContainer(Id);
        memory.Check();
        Assert.That(Directory.GetFileSystemEntries(directories.MemoryLogs), Is.Empty, "the run is removed");
    }

    private MemoryLogs NewAgent() => new(directories, records, new LogsOptions(), time, (id, e) => failures.Add($"{id}: {e.Message}"));

    private List<int> OnDisk()
    {
        using var reader = new LogReader(() => LogPieces.In(directories.Container(Id)));
        return Read(reader);
    }

    private List<int> All()
    {
        using var reader = new LogReader(() => LogPieces.Of(Id, directories));
        return Read(reader);
    }

    // A message that lines may be missing reads as -1.
    private static List<int> Read(LogReader reader) =>
        [.. reader.ReadNew().Select(line => line.Missing ? -1 : int.Parse(line.Text.ToStringUtf8(), CultureInfo.InvariantCulture))];

    private static IEnumerable<int> Numbers(int count) => Enumerable.Range(0, count);

    private static Quantity Size(long bytes) =>
        Quantity.TryParse(bytes.ToString(CultureInfo.InvariantCulture), out var size) ? size : throw new ArgumentOutOfRangeException(nameof(bytes));
}
