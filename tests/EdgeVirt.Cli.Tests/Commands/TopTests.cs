using EdgeVirt.Cli.Output;
using EdgeVirt.Contracts.Api;

namespace EdgeVirt.Cli.Tests.Commands;

public sealed class TopTests
{
    [Test]
    public async Task Shows_what_nodes_use_now()
    {
        await using var hub = await FakeHub.StartAsync();
        hub.Answer("GET /api/v1/telemetry", """
            {"points":[
              {"time":"2026-11-22T17:59:40Z","node":"n1","metric":"system.cpu.utilization","value":0.9},
              {"time":"2026-11-22T17:59:50Z","node":"n1","metric":"system.cpu.utilization","value":0.25},
              {"time":"2026-11-22T17:59:50Z","node":"n1","metric":"system.memory.usage","value":1073741824,"attributes":{"system.memory.state":"used"}},
              {"time":"2026-11-22T17:59:50Z","node":"n1","metric":"system.memory.usage","value":5,"attributes":{"system.memory.state":"free"}},
              {"time":"2026-11-22T17:59:50Z","node":"n1","metric":"system.memory.limit","value":4294967296}]}
            """);
        using var cli = new CliRun(hub);
        var outcome = await cli.RunAsync("top", "nodes", "-n", "n1");
        Assert.That(outcome.Out.Split('\n').Select(line => string.Join(' ', line.Split(' ', StringSplitOptions.RemoveEmptyEntries))),
            Is.EqualTo((string[])["NAME CPU MEMORY OF AGE", "n1 25% 1 GiB 25% 10s", ""]), outcome.Error);
        Assert.That(hub.Lines, Has.Exactly(3).StartsWith("GET /api/v1/telemetry?node=n1&metric=system.").And.All.Contain("from=2026-11-22T17"));
    }

    [Test]
    public async Task Shows_what_containers_use_as_programs_read_it()
    {
        await using var hub = await FakeHub.StartAsync();
        hub.Answer("GET /api/v1/telemetry", """
            {"points":[{"time":"2026-11-22T17:59:50Z","node":"n1","metric":"container.memory.usage","value":4096,"attributes":{"workload":"web","container":"main"}}]}
            """);
        using var cli = new CliRun(hub);
        var outcome = await cli.RunAsync("top", "workloads", "-o", "json");
        Assert.That(outcome.Out, Does.Contain("\"workload\": \"web\"").And.Contain("\"memoryBytes\": 4096").And.Not.Contain("cpuCores"), outcome.Error);
    }

    [Test]
    public async Task Says_so_where_nothing_was_measured()
    {
        await using var hub = await FakeHub.StartAsync();
        hub.Answer("GET /api/v1/telemetry", """{"points":[]}""");
        using var cli = new CliRun(hub);
        var outcome = await cli.RunAsync("top", "workloads");
        Assert.That((outcome.Code, outcome.Out), Is.EqualTo((0, "")));
        Assert.That(outcome.Error, Does.Contain("Nothing was measured"));
    }

    // Values of container.cpu.time, ten seconds apart, and the processors kept busy at the end of them.
    [TestCase("10 12", 0.2)]
    [TestCase("0 10 15", 0.5)]
    [TestCase("10", null)]
    [TestCase("50 1", null, Description = "it was restarted in between")]
    public void Processor_time_is_that_between_the_last_two(string values, double? cores)
    {
        var points = values.Split(' ').Select((value, i) => Point(i * 10, "container.cpu.time", double.Parse(value))).Reverse();
        Assert.That(Usage.OfContainers(points).Single().CpuCores, Is.EqualTo(cores));
    }

    [Test]
    public void The_busiest_come_first()
    {
        var usage = Usage.OfContainers([Point(0, "container.cpu.time", 0, "calm"), Point(10, "container.cpu.time", 1, "calm"), Point(0, "container.cpu.time", 0, "busy"), Point(10, "container.cpu.time", 9, "busy")]);
        Assert.That(usage.Select(one => one.Workload), Is.EqualTo((string[])["busy", "calm"]));
    }

    private static TelemetryPoint Point(int seconds, string metric, double value, string workload = "web") => new(
        CliRun.Now.AddSeconds(seconds), "n1", metric, value, new Dictionary<string, string> { ["workload"] = workload, ["container"] = "main" });
}
