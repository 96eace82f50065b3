using System.Text;
using EdgeVirt.Contracts.Protos;
using EdgeVirt.Node.Containers;
using EdgeVirt.Node.Containers.Logs;
using EdgeVirt.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace EdgeVirt.Node.Tests.Containers.Logs;

internal sealed class ContainerLogsTests
{
    private TempDirectory directory = null!;
    private NodeDirectories directories = null!;
    private RecordStore records = null!;
    private ContainerLogs logs = null!;

    [SetUp]
    public void SetUp()
    {
        directory = new TempDirectory();
        directories = new NodeDirectories(new NodeOptions { DataDir = directory.Combine("data"), RunDir = directory.Combine("run") });
        records = new RecordStore(directories, NullLogger<RecordStore>.Instance);
        records.Load();
        logs = new ContainerLogs(directories, records, TimeProvider.System);
        Add("main", 0, "2026-01-01T00:00:00.000000000+00:00 stdout F first run\n");
        Add("main", 1, string.Concat(Enumerable.Range(0, 5).Select(i => $"2026-01-01T00:00:0{i}.123456789+00:00 {(i == 3 ? "stderr" : "stdout")} {(i == 4 ? "P" : "F")} line {i}\n")));
    }

    [TearDown]
    public void TearDown() => directory.Dispose();

    [Test]
    public async Task Reads_the_newest_run_with_stream_time_and_parts()
    {
        var lines = await ReadAsync(new LogsRequest { Workload = "web", Tail = -1 });
        Assert.That(lines.Select(Text), Is.EqualTo(["line 0", "line 1", "line 2", "line 3", "line 4"]));
        Assert.That(lines.Select(line => line.Stderr), Is.EqualTo([false, false, false, true, false]));
        Assert.That(lines[4].Partial, Is.True);
        Assert.That(lines[1].TimeUnixNs, Is.EqualTo(1_767_225_601_123_456_789));
    }

    [TestCase(0, new string[0])]
    [TestCase(2, new[] { "line 3", "line 4" })]
    [TestCase(100, new[] { "line 0", "line 1", "line 2", "line 3", "line 4" })]
    public async Task Gives_the_last_lines(int tail, string[] expected) =>
        Assert.That((await ReadAsync(new LogsRequest { Workload = "web", Tail = tail })).Select(Text), Is.EqualTo(expected));

    [Test]
    public async Task Gives_lines_since_a_moment() =>
        Assert.That((await ReadAsync(new LogsRequest { Workload = "web", Tail = -1, SinceUnixMs = 1_767_225_603_000 })).Select(Text), Is.EqualTo(["line 3", "line 4"]));

    [Test]
    public async Task Gives_the_run_before() =>
        Assert.That((await ReadAsync(new LogsRequest { Workload = "web", Tail = -1, Previous = true })).Select(Text), Is.EqualTo(["first run"]));

    [Test]
    public void What_is_not_there_is_said_with_what_is()
    {
        Assert.That(() => ReadAsync(new LogsRequest { Workload = "other" }), Throws.InstanceOf<LogsUnavailableException>().With.Property("Reason").EqualTo(CloseReason.NotFound));
        Assert.That(() => ReadAsync(new LogsRequest { Workload = "web", Container = "x" }), Throws.InstanceOf<LogsUnavailableException>().With.Message.Contains("main"));
        Add("side", 0, "");
        Assert.That(() => ReadAsync(new LogsRequest { Workload = "web" }), Throws.InstanceOf<LogsUnavailableException>().With.Message.Contains("main, side"));
    }

    [Test]
    public async Task Follows_new_lines_the_next_file_and_the_next_run()
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        await using var lines = logs.ReadAsync(new LogsRequest { Workload = "web", Tail = 1, Follow = true }, patience.Token).GetAsyncEnumerator(patience.Token);
        Assert.That(await NextAsync(), Is.EqualTo("line 4"));
        var directory = directories.Container("web-u-main-1");
        File.AppendAllText(LogPieces.PathOf(directory, 1), "2026-01-01T00:00:06+00:00 stdout F app");
        File.AppendAllText(LogPieces.PathOf(directory, 1), "ended\n");
        Assert.That(await NextAsync(), Is.EqualTo("appended"));
        File.WriteAllText(LogPieces.PathOf(directory, 2), "2026-01-01T00:00:07+00:00 stdout F in the next file\n");
        Assert.That(await NextAsync(), Is.EqualTo("in the next file"));
        Add("main", 2, "2026-01-01T00:00:08+00:00 stdout F next run\n");
        Assert.That(await NextAsync(), Is.EqualTo("next run"));
        foreach (var attempt in (int[])[0, 1, 2])
        {
            records.RemoveContainer($"web-u-main-{attempt}");
        }

        Assert.That(await lines.MoveNextAsync(), Is.False, "the workload is gone");

        async Task<string> NextAsync() => await lines.MoveNextAsync() ? Text(lines.Current) : "nothing";
    }

    [TestCase("")]
    [TestCase("nonsense")]
    [TestCase("2026-01-01T00:00:00Z stdout")]
    [TestCase("2026-01-01T00:00:00Z elsewhere F x")]
    [TestCase("yesterday stdout F x")]
    public void A_damaged_line_is_none(string line) => Assert.That(LogLines.TryParse(Encoding.UTF8.GetBytes(line), out _), Is.False);

    private static string Text(LogLine line) => line.Text.ToStringUtf8();

    private async Task<List<LogLine>> ReadAsync(LogsRequest request)
    {
        var lines = new List<LogLine>();
        await foreach (var line in logs.ReadAsync(request, CancellationToken.None))
        {
            lines.Add(line);
        }

        return lines;
    }

    private void Add(string container, int attempt, string log)
    {
        var record = new ContainerRecord
        {
            Id = $"web-u-{container}-{attempt}", SandboxId = "web-u", Workload = "web", Uid = "u", Container = container, Attempt = attempt, Hash = "h", ImageDigest = "d",
        };
        records.Put(record);
        File.WriteAllText(LogPieces.PathOf(directories.Container(record.Id), 1), log);
    }
}
