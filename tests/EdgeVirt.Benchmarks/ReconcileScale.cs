using System.Diagnostics;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node;
using EdgeVirt.Node.Tests.Containers;
using EdgeVirt.Testing;

namespace EdgeVirt.Benchmarks;

/// <summary>
/// Cost of one change among 10, 100 and 1,000 workloads: with a real store and real records on disk, and a runtime that
/// runs nothing. <c>change</c>: a new desired revision in which one workload differs, from its bytes to the new run and its
/// report. <c>exit</c>: one container ends, until it runs again.
/// </summary>
internal static class ReconcileScale
{
    private const int Changes = 31;

    public static async Task<BenchResult> RunAsync()
    {
        var figures = new List<(string, double)>();
        var changes = new Dictionary<int, double>();
        var exits = new Dictionary<int, double>();
        foreach (var count in (int[])[10, 100, 1000])
        {
            (changes[count], exits[count]) = await MeasureAsync(count);
            Console.WriteLine($"{count,5} workloads: change {changes[count]:F2} ms, exit {exits[count]:F2} ms (median of {Changes})");
            figures.Add(($"change_ms_{count}", changes[count]));
            figures.Add(($"exit_ms_{count}", exits[count]));
        }

        return new BenchResult(
            "reconcile-scale",
            [("ratio_1000_vs_10", changes[1000] / changes[10]), ("ratio_exit_1000_vs_10", exits[1000] / exits[10]), .. figures]);
    }

    private static async Task<(double Change, double Exit)> MeasureAsync(int count)
    {
        using var directory = new TempDirectory();
        var runtime = new FakeContainerRuntime(TimeProvider.System);
        var options = new NodeOptions { DataDir = directory.Combine("data"), RunDir = directory.Combine("run") };
        await using var agent = new AgentUnderTest(options, _ => runtime, new FakeImages(), TimeProvider.System);
        var workloads = Enumerable.Range(0, count).Select(number => Workload(number, 1)).ToArray();
        await agent.DesireAsync(1, Document(workloads));
        await UntilAsync(agent, () => runtime.Running.Count() == count);

        List<double> changes = [];
        for (var i = 0; i < Changes; i++)
        {
            var at = i % count;
            var generation = 2 + i;
            workloads[at] = Workload(at, generation);
            var bytes = Document(workloads).ToBytes();
            var began = Stopwatch.GetTimestamp();
            await agent.Store.AcceptDesiredAsync((ulong)generation, bytes, CancellationToken.None);
            await UntilAsync(agent, () => runtime.Environments.TryGetValue($"{workloads[at].Name}-uid1-main-0", out var values) && values[0].Value == $"{generation}");
            changes.Add(Stopwatch.GetElapsedTime(began).TotalMilliseconds);
        }

        List<double> exits = [];
        for (var i = 0; i < Math.Min(Changes, count); i++)
        {
            var began = Stopwatch.GetTimestamp();
            runtime.End($"{workloads[i].Name}-uid1-main-0", 1);
            await UntilAsync(agent, () => runtime.Environments.ContainsKey($"{workloads[i].Name}-uid1-main-1"));
            exits.Add(Stopwatch.GetElapsedTime(began).TotalMilliseconds);
        }

        return (Median(changes), Median(exits));
    }

    private static async Task UntilAsync(AgentUnderTest agent, Func<bool> done)
    {
        var began = Stopwatch.GetTimestamp();
        do
        {
            await agent.ReconcileAsync();
            if (Stopwatch.GetElapsedTime(began) > TimeSpan.FromMinutes(2))
            {
                throw new TimeoutException("the workloads do not get where they should");
            }
        }
        while (!done());
        await agent.Reconciler.SettledAsync();
    }

    private static double Median(List<double> values) => values.Order().ElementAt(values.Count / 2);

    private static NodeDocument Document(DesiredWorkload[] workloads) => new() { Node = "bench", Workloads = workloads };

    private static DesiredWorkload Workload(int number, int generation) => new()
    {
        Name = $"w{number:D4}",
        Uid = "uid1",
        Generation = generation,
        Template = new PodSpec
        {
            Containers =
            [
                new ContainerSpec { Name = "main", Image = "r.local/app:1", Env = [new EnvVar { Name = "GENERATION", Value = $"{generation}" }] },
            ],
        },
    };
}
