using EdgeVirt.Cli.Local;
using EdgeVirt.Cli.Output;
using EdgeVirt.Contracts.Api;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Linux;

namespace EdgeVirt.Cli.Tests.Output;

public sealed class ScreenViewTests
{
    [Test]
    public void Shows_all_that_a_technician_asks_for()
    {
        Assert.That(Text(Content(Node() with
        {
            Workloads = [Instance("web", true, ReadyReasons.Ready), Instance("db", false, ReadyReasons.ImagePullFailed, "no route to registry.example", 3)],
            VirtualMachines = [Instance("router", true, ReadyReasons.Ready)],
            LastError = new LocalError(CliRun.Now.AddMinutes(-2), "ImagePull", "no route"),
            Status = Status() with { Conditions = [new Condition { Type = ConditionTypes.StorageHealthy, Status = ConditionStatus.False, Reason = "Quarantined", Message = "node.db" }] },
        })), Is.EqualTo("""
            EdgeVirt  oslo-17   2026-11-22T18:00:00Z   up 3d2h
            Board      rpi4, serial 10000000abc
            Image      edgevirt, 1.2, production, slot A
            Network    eth0       192.0.2.5/24, 2001:db8::5/64
                       wlan0      no link
            Uplink     eth0
            Hub        hub.example:8444
                       connected since 2026-11-22T16:56:00Z (1h4m)
            Agent      0.1.0, desired revision 17
            Workloads  1 of 2 ready
              db                           ImagePullFailed  restarts 3  no route to registry.example
              web                          Ready
            Machines   1 of 1 ready
              router                       Ready
            Problem    StorageHealthy False, Quarantined: node.db
            Last error 2026-11-22T17:58:00Z ImagePull: no route
            """));
    }

    [Test]
    public void Says_what_to_do_without_an_agent_and_shows_the_addresses_all_the_same()
    {
        var text = Text(Content(null) with { AgentProblem = ["does not answer: nobody listens", "restart the board"] });
        Assert.That(text, Does.StartWith("EdgeVirt  host-1 ").And.Contain("192.0.2.5/24").And.Contain("Agent      does not answer: nobody listens\n           restart the board"));
        Assert.That(text, Does.Not.Contain("Workloads"));
    }

    [TestCase("refused", "not connected: refused")]
    [TestCase(null, "not connected yet")]
    public void Says_why_there_is_no_link(string? problem, string words) =>
        Assert.That(Text(Content(Node() with { HubConnectedSince = null, HubProblem = problem })), Does.Contain(words));

    [Test]
    public void Says_that_a_board_has_no_hub() =>
        Assert.That(Text(Content(Node() with { Node = null, Hub = null, HubConnectedSince = null })), Does.Contain("Hub        none: this board is not enrolled"));

    [Test]
    public void Says_that_there_is_no_way_out()
    {
        var content = Content(Node());
        Assert.That(Text(content with { Machine = content.Machine with { Links = [new LinkFacts("eth0", true, false, [])] } }), Does.Contain("no address").And.Contain("no interface has a default route"));
    }

    [TestCase(24, 80)]
    [TestCase(12, 40)]
    [TestCase(50, 132)]
    public void Fits_any_terminal_and_shows_first_what_is_not_ready(int rows, int columns)
    {
        var workloads = Enumerable.Range(0, 200).Select(i => Instance($"workload-{i:000}", i != 150, i == 150 ? ReadyReasons.Failed : ReadyReasons.Ready, new string('m', 300)));
        var machines = Enumerable.Range(0, 50).Select(i => Instance($"machine-{i:000}", i != 40, ReadyReasons.Ready));
        var content = Content(Node() with { Workloads = [.. workloads], VirtualMachines = [.. machines], LastError = new LocalError(CliRun.Now, "X", new string('e', 1000)) });
        var lines = ScreenView.Lines(content, rows).Select(line => line.Render(columns, colours: false)).ToList();
        Assert.That(lines, Has.All.Length.LessThanOrEqualTo(columns));
        Assert.That(lines.Take(rows), Has.Some.Contains("workload-150"));
        if (rows >= 24)
        {
            Assert.That(lines, Has.Count.LessThanOrEqualTo(rows));
            Assert.That(lines, Has.Some.Contains("machine-040").And.Some.Contains("more: edgevirt screen --once").And.Some.StartsWith("Last error"));
        }

        Assert.That(ScreenView.Lines(content, int.MaxValue).Count, Is.GreaterThan(250), "all of them where there is room for all");
    }

    [Test]
    public void What_comes_from_outside_cannot_steer_the_terminal()
    {
        var text = Text(Content(Node() with
        {
            Hub = "hub\e]0;x\a:8444",
            HubProblem = "a\r\nb",
            Workloads = [Instance("web\u202egnp", false, "\u009b2J", "\ud83d\ude00 \u2028x")],
            LastError = new LocalError(CliRun.Now, "S", "one\ttwo\e[2J\x7f"),
        }), colours: true);
        foreach (var line in text.Split('\n'))
        {
            var plain = System.Text.RegularExpressions.Regex.Replace(line, "\e\\[(0|1|31|32|33)m", "");
            Assert.That(plain.Any(char.IsControl) || plain.Contains('\u202e') || plain.Contains('\u2028'), Is.False, line.Replace("\e", "ESC"));
        }
    }

    [Test]
    public void Has_colours_only_where_they_are_wanted()
    {
        Assert.That(Text(Content(Node()), colours: true), Does.Contain("\e[32mconnected since"));
        Assert.That(Text(Content(Node())), Does.Not.Contain("\e"));
    }

    private static string Text(ScreenContent content, bool colours = false) =>
        string.Join('\n', ScreenView.Lines(content, int.MaxValue).Select(line => line.Render(200, colours).TrimEnd()));

    private static ScreenContent Content(LocalSummary? node) => new(
        CliRun.Now,
        new MachineFacts
        {
            Host = "host-1",
            Board = "rpi4",
            SerialNumber = "10000000abc",
            Image = new NodeImage("edgevirt", "1.2", "production", "A"),
            Links = [new LinkFacts("eth0", true, true, ["192.0.2.5/24", "2001:db8::5/64"]), new LinkFacts("wlan0", false, false, [])],
            UpTime = TimeSpan.FromHours(74),
        },
        node,
        []);

    private static LocalSummary Node() => new() { Node = "oslo-17", Hub = "hub.example:8444", HubConnectedSince = CliRun.Now.AddMinutes(-64), Status = Status() };

    private static NodeStatus Status() => new() { AgentVersion = "0.1.0", DesiredRevision = 17, Board = "rpi4", SerialNumber = "10000000abc" };

    private static LocalInstance Instance(string name, bool ready, string state, string? message = null, int restarts = 0) =>
        new() { Name = name, IsReady = ready, State = state, Message = message, Restarts = restarts };
}
