using System.Net;
using EdgeVirt.Testing;

namespace EdgeVirt.SystemTests;

/// <summary>People in running containers, with the published programs: through hub and tunnel, and on the board itself.</summary>
/// <param name="onBoard">Whether the command line asks the agent itself.</param>
[Category("root")]
[TestFixture(false)]
[TestFixture(true)]
public sealed class InteractiveTests(bool onBoard)
{
    private const string Listener = $"""
        apiVersion: edgevirt.io/v1
        kind: Workload
        metadata: {"{"}name: listener{"}"}
        spec:
          template:
            terminationGracePeriodSeconds: 0
            containers:
            - name: sh
              image: {Fleet.BusyboxImage}
              command: [/bin/sh, -c, "echo begun; while read line; do echo heard $line; done; exec sleep 100000"]
              stdin: true
              volumeMounts: [{"{"}name: journal, mountPath: /journal{"}"}]
            volumes:
            - name: journal
              persistentVolume: {"{"}volumeName: journal, sizeLimit: 16Mi{"}"}
        """;

    private Fleet fleet = null!;
    private RealCli cli = null!;
    private TempDirectory directory = null!;

    [OneTimeSetUp]
    public async Task StartAsync()
    {
        directory = new TempDirectory();
        fleet = await Fleet.StartAsync();
        cli = onBoard ? RealCli.On(fleet.Node) : RealCli.At(fleet.Hub);
        await fleet.RunWebAsync();
        await fleet.Hub.Api.ApplyAsync(Listener);
        await fleet.Hub.Api.WaitForWorkloadAsync("listener", 1, TimeSpan.FromSeconds(60));
        if (onBoard)
        {
            // A technician in the field needs none.
            await fleet.Hub.KillAsync();
        }
    }

    [OneTimeTearDown]
    public async Task EndAsync()
    {
        await fleet.DisposeAsync();
        directory.Dispose();
    }

    [Test]
    public void Exec_passes_output_errors_and_the_exit_code_on()
    {
        var outcome = cli.Try("exec", "listener", "--", "/bin/sh", "-c", "echo out; echo err >&2; exit 7");
        Assert.That((outcome.ExitCode, outcome.Output, outcome.Error), Is.EqualTo((7, "out\n", "err\n")));
    }

    [Test]
    public async Task Exec_passes_input_on_to_its_end()
    {
        var input = string.Concat(Enumerable.Range(0, 40_000).Select(number => $"line {number}\n"));
        var outcome = await cli.TryAsync(input, "exec", "-i", "listener", "--", "/bin/sh", "-c", "cat");
        Assert.That(outcome, Is.EqualTo((0, input)));
    }

    [Test]
    public void Exec_at_a_terminal_gives_the_program_one()
    {
        var outcome = cli.TryAtTerminal("exec", "-it", "listener", "--", "/bin/sh", "-c", "test -t 0 && test -t 1 && echo terminal $TERM; exit 3");
        Assert.That(outcome.ExitCode, Is.EqualTo(3), outcome.Output);
        Assert.That(outcome.Output, Does.Contain("terminal"));
    }

    [Test]
    public async Task Attach_talks_to_the_program_and_logs_follow_it()
    {
        await using var following = cli.Start(directory.Combine("follow.log"), "logs", "-f", "--tail", "1", "listener");
        await File.WriteAllTextAsync(directory.Combine("input"), "one\n");
        await using var attached = cli.StartWithInput(directory.Combine("input"), directory.Combine("attach.log"), "attach", "-i", "listener");
        await attached.WaitUntilAsync("answered", () => Task.FromResult(attached.LogTail().Contains("heard one", StringComparison.Ordinal)), TimeSpan.FromSeconds(20));
        await following.WaitUntilAsync("told of the line", () => Task.FromResult(following.LogTail().Contains("heard one", StringComparison.Ordinal)), TimeSpan.FromSeconds(20));
        Assert.That(attached.HasExited, Is.False, "as long as the program runs there may be more to see");
        Assert.That(cli.Try("logs", "--since", "10m", "listener").Output, Does.StartWith("begun\n").And.Contain("heard one\n"));
        Assert.That(cli.Try("logs", "--tail", "0", "listener").Output, Is.Empty);
    }

    [Test]
    public void Files_go_in_and_come_back_the_same()
    {
        var tree = directory.Subdirectory("tree");
        File.WriteAllBytes(Path.Combine(tree, "noise"), Noise(3_000_000));
        File.CreateSymbolicLink(Path.Combine(tree, "link"), "noise");
        File.SetUnixFileMode(Path.Combine(tree, "noise"), UnixFileMode.UserRead | UnixFileMode.UserExecute);
        Assert.That(cli.Try("cp", tree, "listener:/tmp-tree").ExitCode, Is.Zero);
        Assert.That(cli.Try("exec", "listener", "--", "/bin/sh", "-c", "stat -c %a /tmp-tree/noise; readlink /tmp-tree/link").Output, Is.EqualTo("500\nnoise\n"));
        Assert.That(cli.Try("cp", "listener:/tmp-tree", directory.Combine("back")).ExitCode, Is.Zero);
        Assert.That(Command.Try("diff", "-r", "--no-dereference", tree, directory.Combine("back")).ExitCode, Is.Zero);
        Assert.That(cli.Try("cp", "listener:/nowhere", directory.Combine("no")).Error, Does.Contain("/nowhere"));
    }

    [Test]
    public async Task A_port_of_a_workload_is_reached_from_here()
    {
        await using var forward = cli.Start(directory.Combine("forward.log"), "port-forward", "web", "0:8080");
        await forward.WaitUntilAsync("forwarding", () => Task.FromResult(forward.LogTail().Contains("Forwarding", StringComparison.Ordinal)), TimeSpan.FromSeconds(20));
        var endpoint = IPEndPoint.Parse(forward.LogTail().Split("Forwarding ")[1].Split(' ')[0]);
        using var client = new HttpClient { Timeout = TimeSpan.FromSeconds(10) };
        Assert.That(await client.GetStringAsync(new Uri($"http://{endpoint}/")), Does.Contain("EdgeVirt"));
    }

    [Test]
    public async Task Top_tells_what_workloads_use() => await HubApi.WaitForAsync(
        "usage of both workloads",
        () => Task.FromResult(cli.Try("top", "workloads")),
        seen => seen.Output.Contains("web", StringComparison.Ordinal) && seen.Output.Contains("listener", StringComparison.Ordinal) && seen.Output.Contains("MiB", StringComparison.Ordinal),
        seen => seen.Output + seen.Error,
        TimeSpan.FromSeconds(30));

    [Test]
    public void What_is_in_a_volume_is_backed_up_and_restored()
    {
        string[] where = onBoard ? [] : ["--node", "node-1"];
        var file = directory.Combine("journal.tar.zst");
        Assert.That(cli.Try("exec", "listener", "--", "/bin/sh", "-c", "echo kept > /journal/entry").ExitCode, Is.Zero);
        var backup = cli.Try(["volume", "backup", "journal", .. onBoard ? [file] : (string[])["--hub"], .. where]);
        Assert.That(backup.ExitCode, Is.Zero, backup.Error);
        var restore = cli.Try(["volume", "restore", "replacement", .. onBoard ? [file] : (string[])["--backup", "latest"], "--size", "16Mi", .. where]);
        if (!onBoard)
        {
            Assert.That(restore.ExitCode, Is.EqualTo(3), "there is none of a volume of that name");
            var id = cli.Try("volume", "backups", "list", "--node", "node-1").Output.Split('\n')[1].Split(' ')[0];
            restore = cli.Try(["volume", "restore", "replacement", "--backup", id, "--size", "16Mi", .. where]);
        }

        Assert.That(restore.ExitCode, Is.Zero, restore.Error);
        Assert.That(cli.Try(["volume", "list", .. where]).Output, Does.Match(@"journal\s+16 MiB").And.Match(@"replacement\s+16 MiB"));
        var again = directory.Combine("replacement.tar.zst");
        Assert.That(cli.Try(["volume", "backup", "replacement", again, .. where]).ExitCode, Is.Zero);
        Assert.That(Command.Run("tar", "--zstd", "-xOf", again), Is.EqualTo("kept\n"));
    }

    private static byte[] Noise(int length)
    {
        var noise = new byte[length];
        new Random(1).NextBytes(noise);
        return noise;
    }
}
