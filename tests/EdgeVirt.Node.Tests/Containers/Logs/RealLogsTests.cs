using System.Globalization;
using System.Runtime.CompilerServices;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Protos;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.Containers.Logs;
using Google.Protobuf;

namespace EdgeVirt.Node.Tests.Containers.Logs;

/// <summary>What containers really write, by conmon, into files that turn over.</summary>
[Category("root")]
internal sealed class RealLogsTests : RealContainersFixture
{
    private const int MaxSize = 1 << 20;

    // 0.67 MB at a time, so that nobody's reaction within half a second is what the tests are about.
    private const string Paced = "count() { for at in $(busybox seq $1 10000 $2); do busybox seq -w 00000000000000000001 $((at + 9999)) | busybox tail -n +$at; busybox sleep 0.3; done; }; ";
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(20);

    [Test]
    public async Task Lines_are_kept_to_the_limits_and_read_once_over_files_and_a_restart_of_the_agent()
    {
        await DesireAsync(Numbering("web", maxFiles: 5, Paced + "count 1 50000; echo half; while ! [ -e /data/go ]; do busybox sleep 0.1; done; count 50001 100000; echo all; exec busybox sleep 1000"));
        var status = await agent.UntilAsync("web", IsReady);
        var id = status.Containers[0].ContainerId!;
        await UntilLastAsync("web", "half");
        Assert.That(await NumbersAsync("web"), Is.EqualTo(Enumerable.Range(1, 50_000)));
        await RestartAsync();
        await agent.ReconcileAsync();
        File.WriteAllText(Path.Combine(directories.EmptyDirs(Node.Containers.SandboxRecord.IdOf("web", "uid1")), "data", "go"), "");
        await UntilLastAsync("web", "all");
        var numbers = await NumbersAsync("web");
        Assert.That(numbers, Is.EqualTo(Enumerable.Range(100_001 - numbers.Count, numbers.Count)));
        var pieces = LogPieces.In(directories.Container(id)).Where(piece => piece.Length > 0).ToList();
        Assert.That(pieces, Has.Count.EqualTo(5));
        Assert.That(pieces.Sum(piece => piece.Length), Is.InRange(4 * (MaxSize - 200), 5 * MaxSize));
        Assert.That((await AllAsync(new LogsRequest { Workload = "web", Tail = 1500 })).Select(line => line.Text.ToStringUtf8()).SkipLast(1), Is.EqualTo(numbers.TakeLast(1499).Select(Text)));
        await DesireAsync();
        await agent.UntilGoneAsync("web");
        AssertNothingIsLeft();
    }

    [Test]
    public async Task A_run_that_ended_has_its_lines_too()
    {
        await DesireAsync(Numbering("web", maxFiles: 3, Paced + "[ -e /data/again ] && exec busybox sleep 1000; busybox touch /data/again; count 1 60000"));
        await agent.UntilAsync("web", status => IsReady(status) && status.Containers[0].RestartCount == 1);
        var numbers = await NumbersAsync("web", previous: true);
        Assert.That(numbers, Is.EqualTo(Enumerable.Range(60_001 - numbers.Count, numbers.Count)));
        Assert.That(numbers, Has.Count.GreaterThan(2 * MaxSize / 100));
    }

    [Test]
    public async Task A_flood_is_bounded_in_order_and_what_is_lost_is_said()
    {
        await DesireAsync(Numbering("web", maxFiles: 4, "busybox seq -w 00000000000000000001 2000000; echo all; exec busybox sleep 1000"));
        var id = (await agent.UntilAsync("web", IsReady)).Containers[0].ContainerId!;
        var (lines, gaps, first, last, most) = (0, 0, 0L, (string?)null, 0L);
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(120));
        await foreach (var line in JoinedAsync(new LogsRequest { Workload = "web", Tail = -1, Follow = true }, patience.Token))
        {
            var text = line.Text.ToStringUtf8();
            if (line.Missing)
            {
                gaps++;
                last = null;
            }
            else if (long.TryParse(text, CultureInfo.InvariantCulture, out var number))
            {
                // After a gap there may be the rest of a line that conmon had cut.
                Assert.That(last is null || Text((int)number - 1).EndsWith(last, StringComparison.Ordinal), Is.True, $"{number} after '{last}'");
                (first, last, lines) = (lines == 0 ? number : first, text, lines + 1);
            }
            else
            {
                break;
            }

            most = lines % 1000 == 0 ? Math.Max(most, LogPieces.In(directories.Container(id)).Sum(piece => piece.Length)) : most;
        }

        Assert.That(last, Is.EqualTo(Text(2_000_000)), "the newest are there");
        Assert.That(lines == 2_000_001 - first || gaps > 0, Is.True, $"{lines} lines from {first} without a gap");
        Assert.That(most, Is.LessThanOrEqualTo(7 * MaxSize));
        TestContext.Out.WriteLine($"{lines} of 2000000 lines were read, {gaps} gaps were said, {rotation.Lines.Count} of the agent itself; at most {most} bytes were kept");
    }

    [Test]
    public async Task What_was_written_while_no_agent_was_there_is_kept_or_missed_aloud()
    {
        await DesireAsync(Numbering("web", maxFiles: 5, "echo ready; while ! [ -e /data/go ]; do busybox sleep 0.1; done; busybox seq -w 00000000000000000001 80000; busybox touch /data/done; exec busybox sleep 1000"));
        await agent.UntilAsync("web", IsReady);
        await UntilLastAsync("web", "ready");
        await agent.DisposeAsync();
        var data = Path.Combine(directories.EmptyDirs(Node.Containers.SandboxRecord.IdOf("web", "uid1")), "data");
        File.WriteAllText(Path.Combine(data, "go"), "");
        Assert.That(() => File.Exists(Path.Combine(data, "done")), Is.True.After(20_000, 20));
        agent = NewAgent();
        await agent.ReconcileAsync();
        var lines = await AllAsync(new LogsRequest { Workload = "web", Tail = -1 });
        Assert.That(lines.Count(line => line.Missing), Is.EqualTo(1));
        var gap = lines.FindIndex(line => line.Missing);
        Assert.That(lines.Take(gap).Skip(1).Select(line => line.Text.ToStringUtf8()), Is.EqualTo(Enumerable.Range(1, gap - 1).Select(Text)), "the first two files are kept");
        Assert.That(gap, Is.GreaterThan(2 * MaxSize / 100));
        Assert.That(lines[^1].Text.ToStringUtf8(), Is.EqualTo(Text(80_000)));
    }

    [Test]
    public async Task In_memory_lines_are_read_at_once_and_are_on_the_disk_when_the_agent_ends_and_when_the_run_fails()
    {
        var workload = Numbering("web", maxFiles: 3, "echo one; echo two; while ! [ -e /data/go ]; do busybox sleep 0.1; done; echo three; exit 3");
        await DesireAsync(workload with
        {
            Template = workload.Template with { RestartPolicy = RestartPolicy.Never, Logs = new LogsSpec { Storage = LogStorage.Memory } },
        });
        var id = (await agent.UntilAsync("web", IsReady)).Containers[0].ContainerId!;
        await UntilLastAsync("web", "two");
        Assert.That(LogPieces.In(directories.Container(id)), Is.Empty, "flash is spared");
        await agent.DisposeAsync();
        Assert.That(OnDisk(id), Is.EqualTo(["one", "two"]));
        agent = NewAgent();
        await agent.ReconcileAsync();
        File.WriteAllText(Path.Combine(directories.EmptyDirs(Node.Containers.SandboxRecord.IdOf("web", "uid1")), "data", "go"), "");
        await agent.UntilAsync("web", status => status.Conditions[0].Reason == ReadyReasons.Failed);
        Assert.That(() => OnDisk(id), Is.EqualTo(["one", "two", "three"]).After(10_000, 20));
        Assert.That((await AllAsync(new LogsRequest { Workload = "web", Tail = 2 })).Select(line => line.Text.ToStringUtf8()), Is.EqualTo(["two", "three"]));
        Assert.That(Directory.Exists(directories.MemoryPieces(id)), Is.False);
        Assert.That(rotation.Lines, Is.Empty);
    }

    private List<string> OnDisk(string id)
    {
        using var reader = new LogReader(() => LogPieces.In(directories.Container(id)));
        return [.. reader.ReadNew().Select(line => line.Text.ToStringUtf8())];
    }

    private static string Text(int number) => number.ToString("D20", CultureInfo.InvariantCulture);

    private static DesiredWorkload Numbering(string name, int maxFiles, string script)
    {
        var workload = Workload(name, script);
        return workload with
        {
            Template = workload.Template with
            {
                Logs = new LogsSpec { MaxSize = Size(MaxSize), MaxFiles = maxFiles },
                Volumes = [new VolumeSpec { Name = "data", EmptyDir = new EmptyDirSource() }],
                Containers = [workload.Template.Containers[0] with { VolumeMounts = [new VolumeMount { Name = "data", MountPath = "/data" }] }],
            },
        };
    }

    private static Quantity Size(long bytes) =>
        Quantity.TryParse(bytes.ToString(CultureInfo.InvariantCulture), out var size) ? size : throw new ArgumentOutOfRangeException(nameof(bytes));

    private async Task UntilLastAsync(string workload, string text)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        while ((await AllAsync(new LogsRequest { Workload = workload, Tail = 1 })) is not [.., var last] || last.Text.ToStringUtf8() != text)
        {
            await Task.Delay(Pause, patience.Token);
        }
    }

    private async Task<List<int>> NumbersAsync(string workload, bool previous = false) =>
        [.. (await AllAsync(new LogsRequest { Workload = workload, Tail = -1, Previous = previous })).Select(line => line.Missing ? -1 : int.TryParse(line.Text.ToStringUtf8(), out var number) ? number : 0).Where(number => number != 0)];

    private async Task<List<LogLine>> AllAsync(LogsRequest request)
    {
        var lines = new List<LogLine>();
        await foreach (var line in JoinedAsync(request, default))
        {
            lines.Add(line);
        }

        return lines;
    }

    // conmon cuts a line where it read it.
    private async IAsyncEnumerable<LogLine> JoinedAsync(LogsRequest request, [EnumeratorCancellation] CancellationToken ct)
    {
        var begun = ByteString.Empty;
        await foreach (var line in new ContainerLogs(directories, agent.Records, TimeProvider.System).ReadAsync(request, ct))
        {
            begun = line.Missing ? ByteString.Empty : ByteString.CopyFrom([.. begun, .. line.Text]);
            if (!line.Partial)
            {
                line.Text = begun;
                begun = ByteString.Empty;
                yield return line;
            }
        }
    }
}
