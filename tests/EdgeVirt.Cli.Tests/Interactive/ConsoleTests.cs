using EdgeVirt.Contracts.Protos;
using Google.Protobuf;

namespace EdgeVirt.Cli.Tests.Interactive;

public sealed class ConsoleTests
{
    private const string Path = "/api/v1/virtualmachines/router/console";

    [Test]
    public async Task Types_in_a_raw_terminal_until_two_keys_leave_it()
    {
        await using var hub = await FakeHub.StartAsync();
        ConsoleRequest? request = null;
        FakeChannel.Serve(hub, Path, async channel =>
        {
            request = channel.Opened.Console;
            await channel.AllowAsync(100);
            await channel.SendAsync(Data("login: "));
            await foreach (var message in channel.ReadAllAsync())
            {
                if (message.KindCase == StreamMessage.KindOneofCase.Data)
                {
                    await channel.SendAsync(Data($"got {message.Data.ToStringUtf8()}"));
                }
            }
        });
        using var cli = new CliRun(hub) { AtTerminal = true, Input = "\x10\x11" };
        var outcome = await cli.RunAsync("console", "router", "--node", "n1");
        Assert.That((outcome.Code, cli.RawModes), Is.EqualTo((ExitCodes.Ok, new List<string> { "raw", "restored" })), outcome.Error);
        Assert.That(outcome.Error, Is.EqualTo("the serial console of router; Ctrl-P Ctrl-Q leaves\n\r\n"));
        Assert.That(hub.Lines, Has.One.EqualTo($"GET {Path}?node=n1"));
        Assert.That(request, Is.Null.Or.EqualTo(new ConsoleRequest { Machine = "router", Follow = true, Tail = 50 }));
    }

    [Test]
    public async Task Passes_what_a_pipe_gives_and_shows_what_comes_until_the_machine_ends()
    {
        await using var hub = await FakeHub.StartAsync();
        ConsoleRequest? request = null;
        FakeChannel.Serve(hub, Path, async channel =>
        {
            request = channel.Opened.Console;
            await channel.AllowAsync(100);
            await foreach (var message in channel.ReadAllAsync())
            {
                if (message.KindCase == StreamMessage.KindOneofCase.End)
                {
                    break;
                }

                await channel.SendAsync(Data($"got {message.Data.ToStringUtf8()}"));
            }

            await channel.SendAsync(new StreamMessage { Error = ByteString.CopyFromUtf8("[has ended]\n") });
            await channel.CloseAsync();
        });
        using var cli = new CliRun(hub) { Input = "poweroff\n" };
        var outcome = await cli.RunAsync("console", "router", "--force", "--tail", "0");
        Assert.That(outcome, Is.EqualTo(new CliOutcome(ExitCodes.Ok, "got poweroff\n", "[has ended]\n")));
        Assert.That(request, Is.EqualTo(new ConsoleRequest { Machine = "router", Follow = true, Tail = 0, Force = true }));
        Assert.That(cli.RawModes, Is.Empty);
    }

    [TestCase("--log", false, -1)]
    [TestCase("--log --tail 5", false, 5)]
    [TestCase("--read-only", true, 50)]
    [TestCase("--watch --tail 7", true, 7)]
    public async Task Reads_alone_where_a_read_only_token_may(string options, bool follow, long tail)
    {
        await using var hub = await FakeHub.StartAsync();
        ConsoleRequest? request = null;
        FakeChannel.Serve(hub, Path + "/watch", async channel =>
        {
            request = channel.Opened.Console;
            await channel.SendAsync(Data("kept\n"));
            await channel.CloseAsync();
        });
        using var cli = new CliRun(hub) { AtTerminal = true, Input = "not read" };
        var outcome = await cli.RunAsync(["console", "router", .. options.Split(' ')]);
        Assert.That((outcome.Code, outcome.Out), Is.EqualTo((ExitCodes.Ok, "kept\n")), outcome.Error);
        Assert.That(request, Is.EqualTo(new ConsoleRequest { Machine = "router", Follow = follow, ReadOnly = true, Tail = tail }));
        Assert.That(cli.RawModes, Is.Empty);
    }

    [TestCase("--force --log", "--log only reads")]
    [TestCase("--force --read-only", "--read-only only reads")]
    [TestCase("--tail -1", "must not be negative")]
    public async Task Options_that_contradict_each_other_are_refused(string options, string words)
    {
        using var cli = new CliRun();
        var outcome = await cli.RunAsync(["console", "router", .. options.Split(' ')]);
        Assert.That((outcome.Code, outcome.Error), Is.EqualTo((ExitCodes.Usage, outcome.Error)));
        Assert.That(outcome.Error, Does.Contain(words));
    }

    [TestCase(CloseReason.Conflict, ExitCodes.Conflict)]
    [TestCase(CloseReason.NotFound, ExitCodes.NotFound)]
    [TestCase(CloseReason.Invalid, ExitCodes.Invalid)]
    [TestCase(CloseReason.Unavailable, ExitCodes.Unreachable)]
    public async Task Who_is_refused_or_taken_over_is_told_at_a_terminal_that_is_his_own_again(CloseReason reason, int code)
    {
        await using var hub = await FakeHub.StartAsync();
        FakeChannel.Serve(hub, Path, channel => channel.CloseAsync(reason, "The console of 'router' was taken over by 'bob'."));
        using var cli = new CliRun(hub) { AtTerminal = true };
        var outcome = await cli.RunAsync("console", "router");
        Assert.That((outcome.Code, cli.RawModes), Is.EqualTo((code, new List<string> { "raw", "restored" })));
        Assert.That(outcome.Error, Does.Contain("was taken over by 'bob'"));
    }

    [Test]
    public async Task A_link_that_breaks_is_said()
    {
        await using var hub = await FakeHub.StartAsync();
        FakeChannel.Serve(hub, Path, channel => channel.SendAsync(Data("login: ")));
        using var cli = new CliRun(hub);
        var outcome = await cli.RunAsync("console", "router");
        Assert.That((outcome.Code, outcome.Out), Is.EqualTo((ExitCodes.Unreachable, "login: ")));
        Assert.That(outcome.Error, Does.Contain("the connection broke off"));
    }

    private static StreamMessage Data(string text) => new() { Data = ByteString.CopyFromUtf8(text) };
}
