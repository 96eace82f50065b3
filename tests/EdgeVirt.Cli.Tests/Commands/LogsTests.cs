namespace EdgeVirt.Cli.Tests.Commands;

public sealed class LogsTests
{
    [Test]
    public async Task Shows_lines_of_the_hub_and_joins_partial_ones()
    {
        await using var hub = await FakeHub.StartAsync();
        hub.Answer("GET /api/v1/workloads/web/logs", """
            {"time":"2026-11-22T17:00:00Z","stream":"stdout","text":"hel","partial":true}
            {"time":"2026-11-22T17:00:00Z","stream":"stdout","text":"lo"}
            {"time":"2026-11-22T17:00:01.5Z","stream":"stderr","text":"bad ü"}
            """);
        using var cli = new CliRun(hub);
        var outcome = await cli.RunAsync("logs", "web", "-c", "nginx", "-n", "node-1", "--tail", "10", "--since", "5m", "--timestamps");
        Assert.That(outcome.Out, Is.EqualTo("2026-11-22T17:00:00.000Z hello\n2026-11-22T17:00:01.500Z bad ü\n"), outcome.Error);
        Assert.That(hub.Lines.Single(), Does.Contain("node=node-1").And.Contain("container=nginx").And.Contain("tail=10").And.Contain("since=2026-11-22T17%3A55%3A00"));
    }

    [TestCase("logs", "web")]
    [TestCase("logs", "web", "--quiet")]
    public async Task Says_beside_the_output_where_lines_may_be_missing(params string[] arguments)
    {
        await using var hub = await FakeHub.StartAsync();
        hub.Answer("GET /api/v1/workloads/web/logs", """
            {"time":"2026-11-22T17:00:00Z","stream":"stdout","text":"one","partial":true}
            {"time":"2026-11-22T17:00:01Z","missing":true}
            {"time":"2026-11-22T17:00:01Z","stream":"stdout","text":"two"}
            """);
        using var cli = new CliRun(hub);
        var outcome = await cli.RunAsync(arguments);
        Assert.That((outcome.Code, outcome.Out), Is.EqualTo((ExitCodes.Ok, "one\ntwo\n")));
        Assert.That(outcome.Error, Does.Contain("lines may be missing here"));
    }

    [Test]
    public async Task Keeps_what_came_before_a_stream_broke_off()
    {
        await using var hub = await FakeHub.StartAsync();
        hub.Answer("GET /api/v1/workloads/web/logs", """
            {"time":"2026-11-22T17:00:00Z","text":"one"}
            {"code":"Unavailable","message":"node node-1 is gone","hint":"wait for it"}
            """);
        using var cli = new CliRun(hub);
        var outcome = await cli.RunAsync("logs", "web", "-f");
        Assert.That(outcome.Code, Is.EqualTo(ExitCodes.Unreachable));
        Assert.That(outcome.Out, Is.EqualTo("one\n"));
        Assert.That(outcome.Error, Does.Contain("node node-1 is gone\nwait for it"));
    }

    [Test]
    public async Task Queries_telemetry_and_tells_of_gaps()
    {
        await using var hub = await FakeHub.StartAsync();
        hub.Answer("GET /api/v1/telemetry", """
            {"points":[{"time":"2026-11-22T17:59:00Z","node":"n1","metric":"system.cpu.utilization","value":0.25,"attributes":{"cpu":"0"}}],"truncated":true,"missingRecords":{"n1":4},"erasedUpTo":"2026-11-22T17:30:00Z"}
            """);
        using var cli = new CliRun(hub);
        var outcome = await cli.RunAsync("telemetry", "query", "--node", "n1", "--attr", "cpu=0", "--step", "1m");
        Assert.That(outcome.Out, Is.EqualTo("""
            TIME                   NODE   METRIC                   VALUE   ATTRIBUTES
            2026-11-22T17:59:00Z   n1     system.cpu.utilization   0.25    cpu=0

            """), outcome.Error);
        Assert.That(outcome.Error, Does.Contain("There is more").And.Contain("n1: 4 records").And.Contain("deleted samples up to 2026-11-22T17:30:00Z"));
        Assert.That(hub.Lines.Single(), Does.Contain("attr.cpu=0").And.Contain("step=60s").And.Contain("from=2026-11-22T17%3A00%3A00"));
    }
}
