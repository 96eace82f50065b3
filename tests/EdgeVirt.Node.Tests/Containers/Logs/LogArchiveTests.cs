using System.Globalization;
using EdgeVirt.Contracts.Protos;
using EdgeVirt.Node.Containers;
using EdgeVirt.Node.Containers.Logs;
using EdgeVirt.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace EdgeVirt.Node.Tests.Containers.Logs;

internal sealed class LogArchiveTests
{
    private const string Id = "web-u-main-0";

    private TempDirectory directory = null!;
    private NodeDirectories directories = null!;
    private RecordStore records = null!;
    private int written;

    [SetUp]
    public void SetUp()
    {
        directory = new TempDirectory();
        written = 0;
    }

    [TearDown]
    public void TearDown() => directory.Dispose();

    [TestCase(3)]
    [TestCase(2)]
    [TestCase(1)]
    public async Task A_full_log_goes_on_in_a_new_file_and_the_oldest_goes(int maxFiles)
    {
        Make(new LogsOptions { MaxSizeBytes = 100, MaxFiles = maxFiles });
        var live = LogArchive.Begin(Id, directories);
        for (var round = 0; round < 5; round++)
        {
            Write(live, 2);
            await LogArchive.KeepAsync(Id, flush: false, directories, TimeProvider.System);
        }

        Write(live, 1);
        // The monitor, which is not there, would have begun the new file.
        Assert.That(LogArchive.Files(Id, directories), Has.Count.EqualTo(maxFiles));
        Assert.That(await ReadAsync(-1), Is.EqualTo(Enumerable.Range(0, 11).Skip(10 - (2 * (maxFiles - 1)))));
        Assert.That(Directory.GetFiles(directories.Container(Id), "ctr.log*"), Has.Length.EqualTo(maxFiles));
    }

    [TestCase(0)]
    [TestCase(1)]
    [TestCase(3)]
    [TestCase(6)]
    [TestCase(100)]
    public async Task The_tail_goes_over_files(int tail)
    {
        Make(new LogsOptions { MaxSizeBytes = 100, MaxFiles = 5 });
        var live = LogArchive.Begin(Id, directories);
        foreach (var lines in (int[])[3, 2, 1])
        {
            Write(live, lines);
            await LogArchive.KeepAsync(Id, flush: false, directories, TimeProvider.System);
        }

        Assert.That(await ReadAsync(tail), Is.EqualTo(Enumerable.Range(0, 6).Skip(6 - tail)));
    }

    [Test]
    public async Task What_is_in_memory_comes_to_disk_in_time_and_with_the_runs_end()
    {
        Make(new LogsOptions { Storage = LogStorage.Memory });
        var live = LogArchive.Begin(Id, directories);
        Assert.That(live, Does.StartWith(directories.Private + "/"));
        Write(live, 2);
        await LogArchive.KeepAsync(Id, flush: false, directories, TimeProvider.System);
        Assert.That(File.Exists(directories.Log(Id)), Is.False, "it is not due, and small");
        await LogArchive.KeepAsync(Id, flush: true, directories, TimeProvider.System);
        Assert.That(File.ReadAllLines(directories.Log(Id)), Has.Length.EqualTo(2));
        Write(live, 2);
        Assert.That(await ReadAsync(-1), Is.EqualTo(Enumerable.Range(0, 4)), "both are read, in their order");
        Assert.That(await ReadAsync(3), Is.EqualTo([1, 2, 3]));

        // As an agent leaves it that is ended in between.
        File.Move(live, live + ".flush");
        Write(live, 1);
        Assert.That(await ReadAsync(-1), Is.EqualTo(Enumerable.Range(0, 5)));
        LogArchive.End(Id, directories);
        Assert.That(Directory.Exists(Path.GetDirectoryName(live)), Is.False);
        Assert.That(File.ReadAllLines(directories.Log(Id)), Has.Length.EqualTo(5));
        Assert.That(await ReadAsync(-1), Is.EqualTo(Enumerable.Range(0, 5)));
    }

    [Test]
    public async Task Much_in_memory_comes_to_disk_before_its_time()
    {
        Make(new LogsOptions { Storage = LogStorage.Memory, MaxSizeBytes = 100 });
        Write(LogArchive.Begin(Id, directories), 2);
        await LogArchive.KeepAsync(Id, flush: false, directories, TimeProvider.System);
        Assert.That(await ReadAsync(-1), Is.EqualTo([0, 1]));
        Assert.That(File.Exists(directories.Log(Id) + ".1"), Is.True, "and no file becomes too long by it");
    }

    [Test]
    public void A_log_in_memory_whose_run_is_forgotten_just_goes()
    {
        Make(new LogsOptions { Storage = LogStorage.Memory });
        Write(LogArchive.Begin(Id, directories), 1);
        records.RemoveContainer(Id);
        LogArchive.End(Id, directories);
        Assert.That(Directory.GetDirectories(directories.MemoryLogs), Is.Empty);
        Assert.That(Directory.Exists(directories.Container(Id)), Is.False);
    }

    private void Make(LogsOptions logs)
    {
        directories = new NodeDirectories(new NodeOptions { DataDir = directory.Combine("data"), RunDir = directory.Combine("run"), Logs = logs });
        records = new RecordStore(directories, NullLogger<RecordStore>.Instance);
        records.Load();
        records.Put(new ContainerRecord { Id = Id, SandboxId = "web-u", Workload = "web", Uid = "u", Container = "main", Attempt = 0, Hash = "h", ImageDigest = "d" });
    }

    // Each line is 50 to 60 bytes long.
    private void Write(string path, int lines)
    {
        for (var i = 0; i < lines; i++)
        {
            File.AppendAllText(path, string.Create(CultureInfo.InvariantCulture, $"2026-01-01T00:00:00.123456789+00:00 stdout F line {written++}\n"));
        }
    }

    private async Task<List<int>> ReadAsync(int tail)
    {
        var logs = new ContainerLogs(directories, records, TimeProvider.System);
        var lines = new List<int>();
        await foreach (var line in logs.ReadAsync(new LogsRequest { Workload = "web", Tail = tail }, default))
        {
            lines.Add(int.Parse(line.Text.ToStringUtf8()["line ".Length..], CultureInfo.InvariantCulture));
        }

        return lines;
    }
}
