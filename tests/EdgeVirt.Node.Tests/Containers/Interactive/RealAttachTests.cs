using EdgeVirt.Contracts.Protos;
using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Node.Tests.Containers.Interactive;

/// <summary>attach to the main program of a container that really runs.</summary>
[Category("root")]
internal sealed class RealAttachTests
{
    [Test]
    public async Task Input_and_output_are_those_of_the_main_program_and_outlive_who_attached()
    {
        await using var workload = await StartAsync("while read x; do [ $x = end ] && exit 7; echo got $x; echo err $x >&2; done", stdin: true);
        await using (var first = await AttachAsync(workload, stdin: true))
        {
            await first.SendAsync("one\n");
            await first.UntilAsync(channel => channel is { Out: "got one\n", Error: "err one\n" });
            await first.SendAsync(new StreamMessage { End = true });
        }

        await using var watching = await AttachAsync(workload, stdin: false);
        await using var second = await AttachAsync(workload, stdin: true);
        // Who only watches sees what is said from the moment on at which it is joined, and nothing tells when that is.
        for (var i = 0; i < 200 && watching.Out.Length == 0; i++)
        {
            await second.SendAsync("two\n");
            await Task.Delay(50);
        }

        await watching.UntilAsync(channel => channel.Out.StartsWith("got two\n", StringComparison.Ordinal));
        await second.SendAsync("end\n");
        Assert.That((await second.EndAsync(), await watching.EndAsync()), Is.EqualTo((7, 7)));
        Assert.That(second.Out, Does.EndWith(watching.Out), "both hear the same");
    }

    [Test]
    public async Task A_terminal_follows_the_callers_size()
    {
        await using var workload = await StartAsync("while read x; do tty; echo $TERM; stty size; done", stdin: true, tty: true);
        await using var channel = await AttachAsync(workload, stdin: true, new WindowSize { Columns = 101, Rows = 31 });
        await channel.SendAsync("go\r");
        await channel.UntilAsync(one => one.Out.Contains("/dev/pts/0\r\nxterm\r\n31 101\r\n", StringComparison.Ordinal));
        await channel.SendAsync(new StreamMessage { Resize = new WindowSize { Columns = 80, Rows = 24 } });
        await channel.SendAsync("go\r");
        await channel.UntilAsync(one => one.Out.Contains("24 80\r\n", StringComparison.Ordinal));
    }

    [Test]
    public async Task Who_reads_too_slowly_is_cut_off_and_the_program_goes_on()
    {
        await using var workload = await StartAsync("echo > /tmp/begun; read x; yes | head -c 20000000; echo > /tmp/done; sleep 1000", stdin: true);
        await using var channel = await AttachAsync(workload, stdin: true);
        channel.Grants = false;
        await channel.SendAsync("go\n");
        await channel.UntilAsync(one => one.Closed is not null);
        Assert.That(channel.Closed!.Message, Does.Contain("edgevirt logs"));
        await using var exec = await workload.OpenAsync(new OpenChannel
        {
            Exec = new ExecRequest { Workload = "web", Command = { "/bin/busybox", "sh", "-c", "while [ ! -e /tmp/done ]; do busybox usleep 10000; done; echo finished" } },
        });
        Assert.That(await exec.EndAsync(), Is.Zero);
    }

    [TestCase(true, false, "stdin: true")]
    [TestCase(false, true, "tty: true")]
    public async Task What_the_spec_does_not_give_is_refused(bool stdin, bool tty, string words)
    {
        await using var workload = await StartAsync("exec sleep 1000");
        await using var channel = await AttachAsync(workload, stdin, tty ? new WindowSize { Columns = 80, Rows = 24 } : null);
        await channel.EndAsync();
        Assert.That((channel.Closed!.Reason, channel.Closed.Message), Is.EqualTo((CloseReason.Invalid, channel.Closed.Message)));
        Assert.That(channel.Closed.Message, Does.Contain(words));
    }

    private static Task<RealWorkload> StartAsync(string script, bool? stdin = null, bool? tty = null) =>
        RealWorkload.StartAsync(script, new PodSpec { Containers = [new ContainerSpec { Name = "main", Image = "r.local/busybox:1", Stdin = stdin, Tty = tty }], RestartPolicy = RestartPolicy.Never });

    private static Task<TestChannel> AttachAsync(RealWorkload workload, bool stdin, WindowSize? size = null) =>
        workload.OpenAsync(new OpenChannel { Attach = new AttachRequest { Workload = "web", Stdin = stdin, Tty = size is not null, Size = size } });
}
