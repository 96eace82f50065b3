using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Protos;

namespace EdgeVirt.Cli.Tests.Local;

/// <summary>screen, rehome and factory-reset, as far as they are the client's.</summary>
public sealed class OnBoardTests
{
    private static readonly byte[] Summary = """
        {"node":"oslo-17","hub":"hub.example:8444","hubConnectedSince":"2026-11-22T17:00:00+00:00","workloads":[{"name":"web","isReady":true,"state":"Ready","restarts":0}],
         "virtualMachines":[],"status":{"agentVersion":"0.1.0","desiredRevision":5,"conditions":[],"addresses":[]}}
        """u8.ToArray();

    private readonly string token = ClaimToken.Create("site", [1, 2, 3]).Reveal();

    [Test]
    public async Task Prints_the_screen_once()
    {
        using var cli = new CliRun();
        await using var agent = new FakeAgent(cli.Home, Summary, 2, new CloseChannel());
        var outcome = await cli.RunAsync("screen", "--once", "--socket", agent.Path);
        Assert.That(outcome.Code, Is.Zero, outcome.Error);
        Assert.That(outcome.Out, Does.StartWith("EdgeVirt  oslo-17 ").And.Contain("1 of 1 ready").And.Contain("connected since 2026-11-22T17:00:00Z (1h)").And.Contain("Uplink"));
        Assert.That(outcome.Out, Does.Not.Contain("\e"));
        Assert.That(agent.Opened!.LocalSummary, Is.EqualTo(new LocalSummaryQuery()));
    }

    [Test]
    public async Task Gives_the_same_to_programs()
    {
        using var cli = new CliRun();
        await using var agent = new FakeAgent(cli.Home, Summary, 1, new CloseChannel());
        var outcome = await cli.RunAsync("screen", "--socket", agent.Path, "-o", "json");
        using var json = System.Text.Json.JsonDocument.Parse(outcome.Out);
        Assert.That(json.RootElement.GetProperty("node").GetProperty("node").GetString(), Is.EqualTo("oslo-17"));
        Assert.That(json.RootElement.GetProperty("machine").GetProperty("host").GetString(), Is.EqualTo(Environment.MachineName));
    }

    [Test]
    public async Task Shows_the_machine_when_nobody_answers()
    {
        using var cli = new CliRun();
        var outcome = await cli.RunAsync("screen", "--once", "--socket", Path.Combine(cli.Home, "none.sock"));
        Assert.That(outcome.Code, Is.Zero, outcome.Error);
        Assert.That(outcome.Out, Does.StartWith($"EdgeVirt  {Environment.MachineName} ").And.Contain("Agent      does not answer:").And.Contain("Uplink"));
    }

    [TestCase("xterm-256color", true)]
    [TestCase("linux", true)]
    [TestCase("vt100", false)]
    [TestCase("vt220", false)]
    public async Task Draws_a_full_screen_until_q(string term, bool colours)
    {
        using var cli = new CliRun { ShowsAtTerminal = true, AtTerminal = true, Input = "xq", ["TERM"] = term };
        await using var agent = new FakeAgent(cli.Home, Summary, 1, new CloseChannel());
        var outcome = await cli.RunAsync("screen", "--socket", agent.Path);
        Assert.That(outcome.Code, Is.Zero, outcome.Error);
        Assert.That(outcome.Out, Does.StartWith("\e[?25l\e[?7l\e[2J").And.EndWith("\e[0m\e[?7h\e[?25h\r\n"));
        Assert.That(cli.RawModes, Is.EqualTo(new[] { "raw", "restored" }));
        Assert.That(outcome.Out.Contains("\e[32m"), Is.EqualTo(colours));
    }

    [Test]
    public async Task Needs_no_cursor_on_a_dumb_terminal()
    {
        using var cli = new CliRun { ShowsAtTerminal = true, AtTerminal = true, Input = "q", ["TERM"] = "dumb" };
        await using var agent = new FakeAgent(cli.Home, Summary, 1, new CloseChannel());
        var outcome = await cli.RunAsync("screen", "--socket", agent.Path);
        Assert.That(outcome.Out, Does.Not.Contain("\e"));
    }

    [TestCase(CloseReason.Done, "Moved from a to b.", ExitCodes.Ok)]
    [TestCase(CloseReason.Failed, "The claim token is not valid. The node stays with a.", ExitCodes.Failure)]
    public async Task Moves_to_another_hub(CloseReason reason, string words, int expected)
    {
        using var cli = new CliRun();
        await using var agent = new FakeAgent(cli.Home, [], 0, new CloseChannel { Reason = reason, Message = words });
        var outcome = await cli.RunAsync("rehome", "--hub", "b:8444", "--token-file", cli.File("t", token), "--drop-workloads", "--socket", agent.Path);
        Assert.That(outcome.Code, Is.EqualTo(expected), outcome.Error);
        Assert.That(agent.Opened!.Rehome, Is.EqualTo(new RehomeCommand { HubAddress = "b:8444", ClaimToken = token, DropWorkloads = true }));
        Assert.That(outcome.Out + outcome.Error, Does.Contain(words).And.Not.Contain(token));
    }

    [Test]
    public async Task Resets_the_node_whose_name_was_typed()
    {
        using var cli = new CliRun { AtTerminal = true, Input = "oslo-18\n" };
        await using var agent = new FakeAgent(cli.Home, Summary, 1, new CloseChannel());
        var outcome = await cli.RunAsync("factory-reset", "--socket", agent.Path);
        Assert.That(outcome.Code, Is.EqualTo(ExitCodes.Usage));
        Assert.That(outcome.Error, Does.Contain("wipes all that the node 'oslo-17' has").And.Contain("that is not the node's name. Nothing was changed."));
    }

    [Test]
    public async Task Resets_by_a_script_with_a_new_token()
    {
        using var cli = new CliRun();
        await using var agent = new FakeAgent(cli.Home, [], 0, new CloseChannel { Message = "The hub knows." });
        var outcome = await cli.RunAsync("factory-reset", "--yes", "oslo-17", "--claim-token-file", cli.File("t", token), "--keep-network", "false", "--socket", agent.Path);
        Assert.That(outcome.Out, Is.EqualTo("The hub knows.\n"), outcome.Error);
        Assert.That(agent.Opened!.FactoryReset, Is.EqualTo(new FactoryResetCommand { NodeName = "oslo-17", ClaimToken = token, ForgetNetwork = true }));
    }

    [Test]
    public async Task Keeps_the_network_unless_told_otherwise()
    {
        using var cli = new CliRun();
        await using var agent = new FakeAgent(cli.Home, [], 0, new CloseChannel());
        await cli.RunAsync("factory-reset", "--yes", "oslo-17", "--socket", agent.Path);
        Assert.That(agent.Opened!.FactoryReset, Is.EqualTo(new FactoryResetCommand { NodeName = "oslo-17" }));
    }

    [Test]
    public async Task Asks_nobody_where_nobody_is()
    {
        using var cli = new CliRun();
        var outcome = await cli.RunAsync("factory-reset", "--socket", "/nowhere");
        Assert.That(outcome.Code, Is.EqualTo(ExitCodes.Usage));
        Assert.That(outcome.Error, Does.Contain("--yes NAME"));
    }

    [Test]
    public async Task Sends_no_token_that_is_none()
    {
        using var cli = new CliRun();
        var outcome = await cli.RunAsync("factory-reset", "--yes", "a", "--claim-token-file", cli.File("t", "evc1.cut"), "--socket", "/nowhere");
        Assert.That(outcome.Code, Is.EqualTo(ExitCodes.Invalid));
    }
}
