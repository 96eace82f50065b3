using System.Diagnostics;
using EdgeVirt.Contracts.Manifests;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Testing;

namespace EdgeVirt.SystemTests;

/// <summary>Agent and hub are killed at random moments while work goes on.</summary>
[Category("root")]
public sealed class SigkillTests
{
    private const int Kills = 200;
    private const int Workloads = 3;
    private static readonly TimeSpan ReadyBound = TimeSpan.FromSeconds(2);

    [Test]
    public async Task Nothing_acknowledged_is_lost_and_nothing_is_orphaned()
    {
        await using var fleet = await Fleet.StartAsync();
        for (var i = 0; i < Workloads; i++)
        {
            await fleet.Hub.Api.ApplyAsync(SampleManifests.Sleeper($"steady-{i}"));
        }

        await fleet.Hub.Api.ApplyAsync(SampleManifests.Sleeper("churn"));
        await SettleAsync(fleet, generation: 1);
        var before = Census.Of(fleet.Node);

        var random = new Random(TestContext.CurrentContext.Random.Next());
        using var stop = new CancellationTokenSource();
        var load = new Load(fleet.Hub.Api);
        var loading = load.RunAsync(stop.Token);
        List<TimeSpan> agentReady = [];
        List<TimeSpan> hubReady = [];
        for (var i = 0; i < Kills; i++)
        {
            await Task.Delay(random.Next(0, 400), CancellationToken.None);
            var clock = Stopwatch.StartNew();
            if (random.Next(2) == 0)
            {
                await fleet.Node.KillAsync();
                clock.Restart();
                await fleet.Node.StartAsync();
                agentReady.Add(clock.Elapsed);
            }
            else
            {
                await fleet.Hub.KillAsync();
                clock.Restart();
                await fleet.Hub.StartAsync();
                hubReady.Add(clock.Elapsed);
            }
        }

        await stop.CancelAsync();
        await loading;
        await SettleAsync(fleet, load.AcknowledgedGeneration);

        TestContext.Out.WriteLine($"{load.Acknowledged.Count} acknowledged changes; ready after a kill: {Describe("agent", agentReady)}, {Describe("hub", hubReady)}");
        await AssertNothingIsLostAsync(fleet, load);
        await HubApi.WaitForAsync(
            $"the node to have no more than before: {before}", () => Task.FromResult(Census.Of(fleet.Node)), before.CountsLike, now => now.ToString(), TimeSpan.FromSeconds(30));
        Assert.Multiple(() =>
        {
            Assert.That(load.Acknowledged, Has.Count.GreaterThan(Kills / 2), "there was load");
            Assert.That(agentReady.Max(), Is.LessThan(ReadyBound), "the agent is ready again");
            Assert.That(hubReady.Max(), Is.LessThan(ReadyBound), "the hub is ready again");
        });
    }

    private static async Task AssertNothingIsLostAsync(Fleet fleet, Load load)
    {
        foreach (var (name, value) in load.Acknowledged)
        {
            var config = await fleet.Hub.Api.GetAsync(ResourceKind.Config, name);
            Assert.That(config?.SpecOf<ConfigSpec>().Data["value"], Is.EqualTo(value), $"{name} was acknowledged");
        }

        var telemetry = await HubApi.WaitForAsync(
            "the outbox to be empty",
            () => fleet.Hub.Api.QueryTelemetryAsync("node=node-1&metric=system.memory.usage&attr.system.memory.state=used&limit=100000"),
            now => now.Points.Count > 0 && now.Points[^1].Time > TimeProvider.System.GetUtcNow().AddSeconds(-5),
            now => $"{now.Points.Count} points",
            TimeSpan.FromSeconds(60));
        Assert.That(telemetry.Points.Select(point => point.Time), Is.Unique, "no record is stored twice");
        Assert.That(telemetry.MissingRecords?.Values.Sum() ?? 0, Is.Zero, "no acknowledged record is missing");
    }

    private static async Task SettleAsync(Fleet fleet, long generation)
    {
        await fleet.WaitForNodeAsync("node-1");
        for (var i = 0; i < Workloads; i++)
        {
            await fleet.Hub.Api.WaitForWorkloadAsync($"steady-{i}", 1, TimeSpan.FromSeconds(60));
        }

        await HubApi.WaitForAsync(
            $"churn at generation {generation} or later",
            () => fleet.Hub.Api.WorkloadStatusAsync("churn"),
            status => status.ReadyInstances == 1 && status.Instances.All(instance => instance.ObservedGeneration >= generation),
            status => string.Join(", ", status.Instances.Select(instance => $"generation {instance.ObservedGeneration}")),
            TimeSpan.FromSeconds(60));
    }

    private static string Describe(string what, List<TimeSpan> times)
    {
        var sorted = times.Select(time => time.TotalMilliseconds).Order().ToList();
        return sorted.Count == 0 ? $"{what} never" : $"{what} {sorted.Count} times, median {sorted[sorted.Count / 2]:F0} ms, longest {sorted[^1]:F0} ms";
    }

    /// <summary>Changes resources all the time and remembers what the hub acknowledged.</summary>
    private sealed class Load(HubApi api)
    {
        public Dictionary<string, string> Acknowledged { get; } = [];

        public long AcknowledgedGeneration { get; private set; }

        public async Task RunAsync(CancellationToken ct)
        {
            for (var i = 1; !ct.IsCancellationRequested; i++)
            {
                try
                {
                    await api.ApplyAsync(SampleManifests.Config($"record-{i}", $"value {i}"));
                    Acknowledged[$"record-{i}"] = $"value {i}";
                    if (i % 10 == 0)
                    {
                        var result = await api.ApplyAsync(SampleManifests.Sleeper("churn", i));
                        AcknowledgedGeneration = result.Items.Single().Generation;
                    }

                    await Task.Delay(50, CancellationToken.None);
                }
                catch (Exception e) when (e is HttpRequestException or TaskCanceledException)
                {
                    await Task.Delay(20, CancellationToken.None);
                }
            }
        }
    }
}
