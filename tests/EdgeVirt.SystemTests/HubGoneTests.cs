using EdgeVirt.Contracts.Api;
using EdgeVirt.Testing;

namespace EdgeVirt.SystemTests;

/// <summary>A node needs no hub to run, restart and start its workloads, and loses no telemetry meanwhile.</summary>
[Category("root")]
public sealed class HubGoneTests
{
    private Fleet fleet = null!;

    [SetUp]
    public async Task StartAsync()
    {
        fleet = await Fleet.StartAsync();
        await fleet.RunWebAsync();
        await Fleet.FetchAsync(fleet.Node);
        await fleet.Hub.KillAsync();
    }

    [TearDown]
    public async Task EndAsync() => await fleet.DisposeAsync();

    [Test]
    public async Task Workloads_go_on_and_a_killed_container_restarts()
    {
        var before = Census.Of(fleet.Node);
        Assert.That(await Fleet.FetchOnceAsync(fleet.Node), Is.EqualTo(System.Net.HttpStatusCode.OK));

        Command.Run("kill", "-KILL", before.Containers.Single().ToString(System.Globalization.CultureInfo.InvariantCulture));

        var after = await HubApi.WaitForAsync(
            "another container", () => Task.FromResult(Census.Of(fleet.Node)),
            now => now.Containers.Count == 1 && now.Containers[0] != before.Containers[0], now => now.ToString(), TimeSpan.FromSeconds(20));
        await Fleet.FetchAsync(fleet.Node);
        Assert.That(Census.Of(fleet.Node).CountsLike(before), Is.True, $"before: {before}; after: {after}");
    }

    [TestCase(true)]
    [TestCase(false)]
    public async Task The_agent_restarts_and_adopts_what_runs(bool killed)
    {
        var before = Census.Of(fleet.Node);
        await (killed ? fleet.Node.KillAsync() : fleet.Node.StopAsync());
        Assert.That(await Fleet.FetchOnceAsync(fleet.Node), Is.EqualTo(System.Net.HttpStatusCode.OK), "the workload answers without agent and hub");

        await fleet.Node.StartAsync();

        await Fleet.FetchAsync(fleet.Node);
        var after = Census.Of(fleet.Node);
        Assert.That(after.Containers, Is.EqualTo(before.Containers), "the very same process goes on");
        Assert.That(after.CountsLike(before), Is.True, $"before: {before}; after: {after}");
    }

    [Test]
    public async Task The_node_starts_from_cold_with_all_workloads()
    {
        var before = Census.Of(fleet.Node);
        await fleet.Node.CutPowerAsync();
        Assert.That(Census.Of(fleet.Node).Containers, Is.Empty);
        await fleet.Registry.StopAsync();

        await fleet.Node.StartAsync();

        await Fleet.FetchAsync(fleet.Node);
        Assert.That(Census.Of(fleet.Node).CountsLike(before), Is.True, $"before: {before}; after: {Census.Of(fleet.Node)}");
    }

    [Test]
    public async Task Telemetry_arrives_complete_and_once_when_the_hub_returns()
    {
        var gone = TimeProvider.System.GetUtcNow();
        await Task.Delay(TimeSpan.FromSeconds(4));
        await fleet.Node.KillAsync();
        await fleet.Node.StartAsync();
        await Task.Delay(TimeSpan.FromSeconds(4));
        var back = TimeProvider.System.GetUtcNow();
        await fleet.Hub.StartAsync();

        var answer = await HubApi.WaitForAsync(
            "telemetry from after the hub's return",
            () => fleet.Hub.Api.QueryTelemetryAsync("node=node-1&metric=system.memory.usage&attr.system.memory.state=used&limit=100000"),
            now => now.Points.Any(point => point.Time > back.AddSeconds(2)),
            now => $"{now.Points.Count} points",
            TimeSpan.FromSeconds(60));

        var times = answer.Points.Select(point => point.Time).ToList();
        var whileGone = times.Where(time => time > gone && time < back).Order().ToList();
        Assert.Multiple(() =>
        {
            Assert.That(times, Is.Unique, "no record is stored twice");
            Assert.That(MissingOf(answer), Is.Zero, "no record is missing");
            Assert.That(whileGone, Has.Count.GreaterThanOrEqualTo(6), "one a second was collected while the hub was gone");
            Assert.That(
                whileGone.Zip(whileGone.Skip(1), (one, next) => (next - one).TotalSeconds), Has.All.LessThan(3.5),
                "there is no hole but the agent's restart");
        });
    }

    private static long MissingOf(TelemetryQueryResult answer) => answer.MissingRecords?.Values.Sum() ?? 0;
}
