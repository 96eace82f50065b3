using System.Net;
using System.Net.Sockets;

namespace EdgeVirt.Cli.Tests.Commands;

/// <summary>The table of exit codes, each by what leads to it.</summary>
public sealed class FailureTests
{
    [TestCase("frobnicate", "Did you mean", false)]
    [TestCase("gett workloads", "Did you mean 'get'?", true)]
    [TestCase("get workloadz", "Did you mean 'workloads'?", true)]
    [TestCase("get workloads --outptu json", "Did you mean '--output'?", true)]
    [TestCase("get workloads --wacth", "Did you mean '--watch'?", true)]
    [TestCase("get workloads -o xml", "write table, json or yaml", true)]
    [TestCase("get workloads web -l a=b", "Leave one of them out", true)]
    [TestCase("logs web --since yesterday", "write 90s, 5m", true)]
    [TestCase("describe workload", "edgevirt describe --help", true)]
    [TestCase("delete", "Give a kind and names", true)]
    [TestCase("get workloads", "edgevirt login", true)]
    [TestCase("get workloads --server http://hub:8443", "https://hub:8443", true)]
    [TestCase("login --server hub", "--token-file", true)]
    [TestCase("completion tcsh", "bash, zsh, fish", true)]
    public async Task A_wrong_command_line_says_what_would_be_right(string line, string advice, bool given)
    {
        using var cli = new CliRun();
        var outcome = await cli.RunAsync(line.Split(' '));
        Assert.That(outcome.Code, Is.EqualTo(ExitCodes.Usage), outcome.Error);
        Assert.That(outcome.Out, Is.Empty);
        Assert.That(outcome.Error, given ? Does.Contain(advice) : Does.Not.Contain(advice));
    }

    [TestCase(400, "Invalid", ExitCodes.Invalid)]
    [TestCase(401, "Unauthorized", ExitCodes.Unauthorized)]
    [TestCase(403, "Forbidden", ExitCodes.Unauthorized)]
    [TestCase(404, "NotFound", ExitCodes.NotFound)]
    [TestCase(409, "Conflict", ExitCodes.Conflict)]
    [TestCase(503, "Unavailable", ExitCodes.Unreachable)]
    [TestCase(500, "Internal", ExitCodes.Failure)]
    public async Task What_the_hub_says_becomes_an_exit_code(int status, string code, int expected)
    {
        await using var hub = await FakeHub.StartAsync();
        hub.Answer("GET /api/v1/workloads/web", $$"""{"code":"{{code}}","message":"something is so","hint":"do this"}""", status);
        using var cli = new CliRun(hub);
        var outcome = await cli.RunAsync("get", "workload", "web");
        Assert.That(outcome.Code, Is.EqualTo(expected));
        Assert.That(outcome.Error, Does.Contain(status == 401 ? "edgevirt login" : "error: something is so\ndo this"));
    }

    [Test]
    public async Task An_answer_that_is_none_of_a_hub_is_explained()
    {
        await using var hub = await FakeHub.StartAsync();
        hub.Answer("GET /api/v1/workloads", "<html>hello</html>");
        using var cli = new CliRun(hub);
        var outcome = await cli.RunAsync("get", "workloads");
        Assert.That(outcome.Code, Is.EqualTo(ExitCodes.Failure));
        Assert.That(outcome.Error, Does.Contain("cannot be read").And.Contain("edgevirt version"));
    }

    [Test]
    public async Task A_hub_that_does_not_run_is_unreachable()
    {
        // Bound, so that nobody else takes the port, but not listening.
        using var bound = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        bound.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        var port = ((IPEndPoint)bound.LocalEndPoint!).Port;
        using var cli = new CliRun { ["EDGEVIRT_SERVER"] = $"https://127.0.0.1:{port}", ["EDGEVIRT_TOKEN"] = "x" };
        var outcome = await cli.RunAsync("get", "workloads");
        Assert.That(outcome.Code, Is.EqualTo(ExitCodes.Unreachable));
        Assert.That(outcome.Error, Does.StartWith($"error: cannot reach the hub at https://127.0.0.1:{port}: connection refused.\nIs it running?"));
    }

    [Test]
    public async Task A_hub_that_does_not_answer_runs_into_the_timeout()
    {
        await using var hub = await FakeHub.StartAsync();
        hub.Answer("GET /api/v1/workloads", context => Task.Delay(Timeout.Infinite, context.RequestAborted));
        using var cli = new CliRun(hub);
        var outcome = await cli.RunAsync("get", "workloads", "--timeout", "1s");
        Assert.That(outcome.Code, Is.EqualTo(ExitCodes.Timeout));
        Assert.That(outcome.Error, Does.Contain("within 1s"));
    }

    [Test]
    public async Task Another_authority_than_the_pinned_one_gets_no_token()
    {
        await using var hub = await FakeHub.StartAsync();
        await using var other = await FakeHub.StartAsync();
        using var cli = new CliRun(hub) { ["EDGEVIRT_SERVER"] = other.Url };
        var outcome = await cli.RunAsync("get", "workloads");
        Assert.That(outcome.Code, Is.EqualTo(ExitCodes.Unreachable));
        Assert.That(outcome.Error, Does.Contain("does not come from the authority"));
        Assert.That(other.Requests, Is.Empty);
    }

    [Test]
    public async Task A_certificate_for_another_name_is_refused()
    {
        await using var hub = await FakeHub.StartAsync("hub.example");
        using var cli = new CliRun(hub);
        var outcome = await cli.RunAsync("get", "workloads");
        Assert.That(outcome.Code, Is.EqualTo(ExitCodes.Unreachable));
        Assert.That(outcome.Error, Does.Contain("other names (hub.example)").And.Contain("--advertise"));
    }

    [Test]
    public async Task A_certificate_of_an_unknown_authority_is_refused_without_a_pin()
    {
        await using var hub = await FakeHub.StartAsync();
        using var cli = new CliRun(hub) { ["EDGEVIRT_CA_FILE"] = null };
        var outcome = await cli.RunAsync("get", "workloads");
        Assert.That(outcome.Code, Is.EqualTo(ExitCodes.Unreachable));
        Assert.That(hub.Requests, Is.Empty);
    }

    [Test]
    public async Task Help_lists_every_exit_code()
    {
        using var cli = new CliRun();
        var outcome = await cli.RunAsync("--help");
        Assert.That(outcome.Code, Is.Zero);
        foreach (var (code, meaning) in ExitCodes.Table)
        {
            Assert.That(outcome.Out, Does.Contain($"{code,-4} {meaning}"));
        }
    }
}
