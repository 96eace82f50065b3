using EdgeVirt.Contracts.Protos;
using Google.Protobuf;

namespace EdgeVirt.Cli.Tests.Interactive;

public sealed class ExecTests
{
    [Test]
    public async Task Passes_command_input_output_and_exit_code()
    {
        await using var hub = await FakeHub.StartAsync();
        ExecRequest? request = null;
        FakeChannel.Serve(hub, "/api/v1/workloads/web/exec", async channel =>
        {
            request = channel.Opened.Exec;
            await channel.AllowAsync(10);
            var input = "";
            await foreach (var message in channel.ReadAllAsync())
            {
                if (message.KindCase == StreamMessage.KindOneofCase.End)
                {
                    break;
                }

                input += message.Data.ToStringUtf8();
            }

            await channel.SendAsync(new StreamMessage { Data = ByteString.CopyFromUtf8($"got {input}\n") });
            await channel.SendAsync(new StreamMessage { Error = ByteString.CopyFromUtf8("beware\n") });
            await channel.SendAsync(new StreamMessage { ExitCode = 42 });
            await channel.CloseAsync();
        });
        using var cli = new CliRun(hub) { Input = "twelve bytes and more" };
        var outcome = await cli.RunAsync("exec", "-i", "web", "-c", "main", "--node", "n1", "--", "cat", "-n", "--x");
        Assert.That(outcome, Is.EqualTo(new CliOutcome(42, "got twelve bytes and more\n", "beware\n")));
        Assert.That(request, Is.EqualTo(new ExecRequest { Workload = "web", Container = "main", Command = { "cat", "-n", "--x" }, Stdin = true }));
        Assert.That(hub.Lines, Has.One.EqualTo("GET /api/v1/workloads/web/exec?node=n1"));
    }

    [TestCase(CloseReason.NotFound, ExitCodes.NotFound)]
    [TestCase(CloseReason.Invalid, ExitCodes.Invalid)]
    [TestCase(CloseReason.Unavailable, ExitCodes.Unreachable)]
    [TestCase(CloseReason.Failed, ExitCodes.Failure)]
    [TestCase(CloseReason.Done, ExitCodes.Unreachable)]
    public async Task Says_why_nothing_was_run(CloseReason reason, int code)
    {
        await using var hub = await FakeHub.StartAsync();
        FakeChannel.Serve(hub, "/api/v1/workloads/web/exec", channel => channel.CloseAsync(reason, "because of this"));
        using var cli = new CliRun(hub);
        var outcome = await cli.RunAsync("exec", "web", "--", "true");
        Assert.That(outcome.Code, Is.EqualTo(code));
        Assert.That(outcome.Error, Does.Contain(reason == CloseReason.Done ? "nothing was said" : "because of this"));
    }

    [TestCase(401, ExitCodes.Unauthorized, "does not accept the token")]
    [TestCase(403, ExitCodes.Unauthorized, "read-only")]
    [TestCase(404, ExitCodes.Failure, "does not know this verb")]
    [TestCase(500, ExitCodes.Failure, "answered 500")]
    public async Task A_hub_that_refuses_is_explained(int status, int code, string words)
    {
        await using var hub = await FakeHub.StartAsync();
        hub.Answer("GET /api/v1/workloads/web/exec", "{}", status);
        using var cli = new CliRun(hub);
        var outcome = await cli.RunAsync("exec", "web", "--", "true");
        Assert.That((outcome.Code, outcome.Error), Is.EqualTo((code, outcome.Error)));
        Assert.That(outcome.Error, Does.Contain(words));
    }

    [Test]
    public async Task A_hub_with_another_certificate_is_not_spoken_to()
    {
        await using var hub = await FakeHub.StartAsync();
        await using var other = await FakeHub.StartAsync();
        using var cli = new CliRun(other) { ["EDGEVIRT_SERVER"] = hub.Url };
        var outcome = await cli.RunAsync("exec", "web", "--", "true");
        Assert.That(outcome.Code, Is.EqualTo(ExitCodes.Unreachable));
        Assert.That(outcome.Error, Does.Contain("refused to speak"));
        Assert.That(hub.Lines, Is.Empty);
    }

    [TestCase("ends")]
    [TestCase("refused")]
    [TestCase("broken")]
    [TestCase("interrupted")]
    public async Task The_terminal_is_restored_however_it_ends(string how)
    {
        await using var hub = await FakeHub.StartAsync();
        using var interrupted = new CancellationTokenSource();
        using var cli = new CliRun(hub) { AtTerminal = true, ["TERM"] = "vt220" };
        ExecRequest? request = null;
        FakeChannel.Serve(hub, "/api/v1/workloads/web/exec", async channel =>
        {
            request = channel.Opened.Exec;
            await channel.AllowAsync(1 << 16);
            switch (how)
            {
                case "ends":
                    await channel.SendAsync(new StreamMessage { ExitCode = 0 });
                    await channel.CloseAsync();
                    break;
                case "refused":
                    await channel.CloseAsync(CloseReason.Failed, "no");
                    break;
                case "interrupted":
                    await cli.TakesTerminalAsync();
                    await interrupted.CancelAsync();
                    await channel.NextAsync();
                    break;
            }
        });
        var outcome = await cli.RunAsync(interrupted.Token, "exec", "-it", "web", "--", "sh");
        Assert.That(cli.RawModes, Is.EqualTo((string[])["raw", "restored"]));
        Assert.That(request, Is.EqualTo(new ExecRequest
        {
            Workload = "web", Command = { "sh" }, Stdin = true, Tty = true, Term = "vt220", Size = new WindowSize { Columns = 100, Rows = 40 },
        }));
        Assert.That(outcome.Code, Is.EqualTo(how switch { "ends" => 0, "refused" => 1, "broken" => 7, _ => 130 }), outcome.Error);
    }

    [Test]
    public async Task A_terminal_that_changes_its_size_says_so()
    {
        await using var hub = await FakeHub.StartAsync();
        using var cli = new CliRun(hub) { AtTerminal = true };
        WindowSize? size = null;
        FakeChannel.Serve(hub, "/api/v1/workloads/web/exec", async channel =>
        {
            await channel.AllowAsync(1 << 16);
            await cli.ResizeAsync(70, 20);
            await foreach (var message in channel.ReadAllAsync())
            {
                if (message.KindCase == StreamMessage.KindOneofCase.Resize)
                {
                    size = message.Resize;
                    break;
                }
            }

            await channel.SendAsync(new StreamMessage { ExitCode = 0 });
            await channel.CloseAsync();
        });
        var outcome = await cli.RunAsync("exec", "-t", "web", "--", "sh");
        Assert.That(outcome.Code, Is.Zero, outcome.Error);
        Assert.That(size, Is.EqualTo(new WindowSize { Columns = 70, Rows = 20 }));
    }

    [Test]
    public async Task Without_a_terminal_it_goes_on_without_one()
    {
        await using var hub = await FakeHub.StartAsync();
        FakeChannel.Serve(hub, "/api/v1/workloads/web/exec", async channel =>
        {
            await channel.SendAsync(new StreamMessage { ExitCode = channel.Opened.Exec.Tty ? 1u : 0 });
            await channel.CloseAsync();
        });
        using var cli = new CliRun(hub);
        var outcome = await cli.RunAsync("exec", "-t", "web", "--", "sh");
        Assert.That(outcome.Code, Is.Zero);
        Assert.That(outcome.Error, Does.Contain("without -t"));
    }

    [Test]
    public async Task A_command_without_dashes_before_it_is_explained()
    {
        using var cli = new CliRun();
        var outcome = await cli.RunAsync("exec", "web", "ls", "-l");
        Assert.That(outcome.Code, Is.EqualTo(ExitCodes.Usage));
        outcome = await cli.RunAsync("exec", "web");
        Assert.That(outcome.Code, Is.EqualTo(ExitCodes.Usage));
    }
}
