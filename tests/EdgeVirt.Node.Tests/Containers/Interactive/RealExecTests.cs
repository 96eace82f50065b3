using EdgeVirt.Contracts.Protos;
using EdgeVirt.Node.Containers.Interactive;
using EdgeVirt.Node.Tests.Hub;
using Google.Protobuf;

namespace EdgeVirt.Node.Tests.Containers.Interactive;

/// <summary>exec in a container that really runs.</summary>
[Category("root")]
internal sealed class RealExecTests
{
    private RealWorkload workload = null!;

    [OneTimeSetUp]
    public async Task SetUp() => workload = await RealWorkload.StartAsync();

    [OneTimeTearDown]
    public async Task TearDown() => await workload.DisposeAsync();

    [Test]
    public async Task Output_and_errors_come_apart_with_the_exit_code_and_in_the_containers_surroundings()
    {
        await using var channel = await ExecAsync("echo out $COLOUR $(id -u) $PWD; echo err >&2; exit 7");
        Assert.That(await channel.EndAsync(), Is.EqualTo(7), $"{channel.Error} {channel.Closed}");
        Assert.That((channel.Out, channel.Error), Is.EqualTo(("out blue 65534 /tmp\n", "err\n")));
        Assert.That(channel.Closed!.Reason, Is.EqualTo(CloseReason.Done));
    }

    [Test]
    public async Task Rights_are_those_of_the_container()
    {
        await using var channel = await ExecAsync("cat /proc/self/status");
        await channel.EndAsync();
        var init = File.ReadAllText($"/proc/{File.ReadAllText(workload.Directories.PidFile(workload.ContainerId))}/status");
        Assert.That(Capabilities(channel.Out), Is.EqualTo(Capabilities(init)).And.Length.EqualTo(5));

        static string[] Capabilities(string status) => [.. status.Split('\n').Where(line => line.StartsWith("Cap", StringComparison.Ordinal))];
    }

    [Test]
    public async Task Input_goes_in_until_its_end_and_output_goes_on()
    {
        await using var channel = await ExecAsync("wc -c; echo after; exit 3", stdin: true);
        var block = new StreamMessage { Data = ByteString.CopyFrom(new byte[31 << 10]) };
        for (var i = 0; i < 100; i++)
        {
            await channel.SendAsync(block);
        }

        await channel.SendAsync(new StreamMessage { End = true });
        Assert.That(await channel.EndAsync(), Is.EqualTo(3));
        Assert.That(channel.Out, Is.EqualTo($"{100 * (31 << 10)}\nafter\n"));
    }

    [Test]
    public async Task Without_input_the_program_reads_nothing()
    {
        await using var channel = await ExecAsync("cat; echo end");
        Assert.That(await channel.EndAsync(), Is.Zero);
        Assert.That(channel.Out, Is.EqualTo("end\n"));
    }

    [Test]
    public async Task A_terminal_has_the_callers_size_and_follows_it()
    {
        var request = Request("tty; echo $TERM; stty size; read x; stty size; exit 5");
        request.Tty = true;
        request.Stdin = true;
        request.Term = "vt220";
        request.Size = new WindowSize { Columns = 101, Rows = 31 };
        await using var channel = await workload.OpenAsync(new OpenChannel { Exec = request });
        await channel.UntilAsync(one => one.Out.Contains("31 101", StringComparison.Ordinal));
        Assert.That(channel.Out, Does.StartWith("/dev/pts/").And.Contain("\r\nvt220\r\n"));
        await channel.SendAsync(new StreamMessage { Resize = new WindowSize { Columns = 77, Rows = 22 } });
        await Task.Delay(200);
        await channel.SendAsync("go\r");
        Assert.That(await channel.EndAsync(), Is.EqualTo(5), channel.Out);
        Assert.That(channel.Out, Does.Contain("go\r\n").And.EndWith("22 77\r\n"));
        Assert.That(channel.Error, Is.Empty);
    }

    [Test]
    public async Task Ctrl_C_on_a_terminal_interrupts_the_program()
    {
        var request = Request("echo ready; sleep 876543");
        request.Tty = true;
        request.Stdin = true;
        await using var channel = await workload.OpenAsync(new OpenChannel { Exec = request });
        await channel.UntilAsync(one => one.Out.Contains("ready", StringComparison.Ordinal));
        await channel.SendAsync("\u0003");
        Assert.That(await channel.EndAsync(), Is.EqualTo(130));
        Assert.That(workload.Find("876543"), Is.Empty);
    }

    [TestCase(false)]
    [TestCase(true)]
    public async Task All_that_it_started_ends_when_the_caller_goes_away(bool tty)
    {
        var number = tty ? "7654321" : "7654322";
        var request = Request($"setsid sleep {number} & (sleep {number} &) ; echo ready; sleep {number}");
        request.Tty = tty;
        await using (var channel = await workload.OpenAsync(new OpenChannel { Exec = request }))
        {
            await channel.UntilAsync(one => one.Out.Contains("ready", StringComparison.Ordinal));
            await Eventually.HoldsAsync(() => workload.Find(number).Count >= 3, "three of them run");
        }

        await Eventually.HoldsAsync(() => workload.Find(number).Count == 0, "none of them runs");
        Assert.That(workload.Find("1000"), Is.Not.Empty, "the container's own process was left alone");
        await Eventually.HoldsAsync(() => Directory.GetFileSystemEntries(Path.Combine(workload.Directories.Private, "exec")).Length == 0, "nothing is left on the tmpfs");
    }

    [Test]
    public async Task A_caller_who_does_not_read_stops_the_program_and_nobody_else()
    {
        var request = Request("yes");
        await using var flood = await workload.OpenAsync(new OpenChannel { Exec = request });
        flood.Grants = false;
        await flood.UntilAsync(one => one.Received >= 256 << 10);
        await using var other = await ExecAsync("echo alive");
        Assert.That(await other.EndAsync(), Is.Zero);
        Assert.That(flood.Received, Is.EqualTo(256 << 10), "no more than the window");
    }

    [TestCase("/no/such/program", 127)]
    [TestCase("nothing-of-the-kind", 127)]
    [TestCase("/etc/passwd", 126)]
    public async Task A_program_that_cannot_be_run_ends_as_a_shell_would_say(string program, int code)
    {
        await using var channel = await workload.OpenAsync(new OpenChannel { Exec = new ExecRequest { Workload = "web", Command = { program } } });
        Assert.That(await channel.EndAsync(), Is.EqualTo(code), channel.Closed?.Message);
        Assert.That(channel.Error, Does.Contain(program));
    }

    [TestCase("nothing", "", "no container on this node", CloseReason.NotFound)]
    [TestCase("web", "side", "it has main", CloseReason.NotFound)]
    public async Task What_is_not_there_is_said_so(string name, string container, string words, CloseReason reason)
    {
        await using var channel = await workload.OpenAsync(new OpenChannel { Exec = new ExecRequest { Workload = name, Container = container, Command = { "true" } } });
        await channel.EndAsync();
        Assert.That((channel.Closed!.Reason, channel.Closed.Message), Is.EqualTo((reason, channel.Closed.Message)));
        Assert.That(channel.Closed.Message, Does.Contain(words));
    }

    [Test]
    public async Task Who_sends_more_than_the_window_is_shown_the_door()
    {
        await using var channel = await ExecAsync("sleep 55555", stdin: true);
        await Eventually.HoldsAsync(() => workload.Find("55555").Count > 0, "it runs");
        for (var i = 0; i < 20; i++)
        {
            await channel.WriteAsync(new TunnelFrame { Channel = 1, Data = ByteString.CopyFrom(new byte[32 << 10]) });
        }

        await channel.EndAsync();
        Assert.That(channel.Closed!.Reason, Is.EqualTo(CloseReason.Invalid));
        await Eventually.HoldsAsync(() => workload.Find("55555").Count == 0, "it ended");
    }

    [Test]
    public async Task What_a_killed_agent_left_running_is_ended_at_the_next_start()
    {
        await using var channel = await ExecAsync("sleep 66666");
        await Eventually.HoldsAsync(() => workload.Find("66666").Count > 0, "it runs");
        Assert.That(new MarkedProcesses(workload.Directories, TimeProvider.System).KillAll(), Is.GreaterThan(0));
        Assert.That(await channel.EndAsync(), Is.EqualTo(137));
        Assert.That(workload.Find("1000"), Is.Not.Empty);
    }

    private static ExecRequest Request(string script) => new() { Workload = "web", Command = { "sh", "-c", script } };

    private Task<TestChannel> ExecAsync(string script, bool stdin = false)
    {
        var request = Request(script);
        request.Stdin = stdin;
        return workload.OpenAsync(new OpenChannel { Exec = request });
    }
}
