using System.Diagnostics;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node;
using EdgeVirt.Node.Tests.Containers;
using EdgeVirt.Testing;

namespace EdgeVirt.Benchmarks;

/// <summary>
/// Cost of one change among 10, 100 and 1,000 workloads: with a real store and real records, and a runtime that runs
/// nothing. <c>change</c>: a new document in which one workload differs, from its bytes until that workload runs anew and is
/// reported; it is made up of <c>accept</c>, the store taking the whole document, and <c>reconcile</c>, all after it.
/// <c>exit</c>: one container ends, until it runs again. Medians. With TMPDIR on a tmpfs the disk's part falls away.
/// </summary>
internal static class ReconcileScale
{
    private const int Warm = 10;
    private const int Changes = 31;

    public static async Task<BenchResult> RunAsync()
    {
        // Once for the compiler's sake.
        await MeasureAsync(10);
        var costs = new Dictionary<int, Costs>();
        var figures = new List<(string, double)>();
        foreach (var count in (int[])[10, 100, 1000])
        {
            var cost = costs[count] = await MeasureAsync(count);
            Console.WriteLine(
                $"{count,5} workloads: change {cost.Change,6:F2} ms (accept {cost.Accept,6:F2} ms, reconcile {cost.Reconcile,6:F2} ms), exit {cost.Exit,6:F2} ms");
            figures.AddRange(
                [($"change_ms_{count}", cost.Change), ($"accept_ms_{count}", cost.Accept), ($"reconcile_ms_{count}", cost.Reconcile), ($"exit_ms_{count}", cost.Exit)]);
        }

        var (few, many) = (costs[10], costs[1000]);
        return new BenchResult(
            "reconcile-scale",
            [
                ("ratio_1000_vs_10", many.Change / few.Change),
                ("ratio_accept_1000_vs_10", many.Accept / few.Accept),
                ("ratio_reconcile_1000_vs_10", many.Reconcile / few.Reconcile),
                ("ratio_exit_1000_vs_10", many.Exit / few.Exit),
                .. figures,
            ]);
    }

    private static async Task<Costs> MeasureAsync(int count)
    {
        using var directory = new TempDirectory();
        var runtime = new FakeContainerRuntime(TimeProvider.System);
        var options = new NodeOptions { DataDir = directory.Combine("data"), RunDir = directory.Combine("run") };
        await using var agent = new AgentUnderTest(options, _ => runtime, new FakeImages(), TimeProvider.System);
        var workloads = Enumerable.Range(0, count).Select(number => Workload(number, 1)).ToArray();
        await agent.DesireAsync(1, Document(workloads));
        await UntilAsync(agent, () => runtime.Running.Count() == count);

        List<double> accepts = [];
        List<double> reconciles = [];
        List<double> changes = [];
        for (var i = 0; i < Warm + Changes; i++)
        {
            var at = i % count;
            var generation = 2 + i;
            workloads[at] = Workload(at, generation);
            var bytes = Document(workloads).ToBytes();
            var began = Stopwatch.GetTimestamp();
            await agent.Store.AcceptDesiredAsync((ulong)generation, bytes, CancellationToken.None);
            var accepted = Stopwatch.GetTimestamp();
            await UntilAsync(agent, () => runtime.Environments.TryGetValue($"{workloads[at].Name}-uid1-main-0", out var values) && values[0].Value == $"{generation}");
            var done = Stopwatch.GetTimestamp();
            if (i >= Warm)
            {
                accepts.Add(Stopwatch.GetElapsedTime(began, accepted).TotalMilliseconds);
                reconciles.Add(Stopwatch.GetElapsedTime(accepted, done).TotalMilliseconds);
                changes.Add(Stopwatch.GetElapsedTime(began, done).TotalMilliseconds);
            }
        }

        List<double> exits = [];
        for (var i = 0; i < Math.Min(Changes, count); i++)
        {
            var began = Stopwatch.GetTimestamp();
            runtime.End($"{workloads[i].Name}-uid1-main-0", 1);
            await UntilAsync(agent, () => runtime.Environments.ContainsKey($"{workloads[i].Name}-uid1-main-1"));
            exits.Add(Stopwatch.GetElapsedTime(began).TotalMilliseconds);
        }

        return new Costs(Samples.Median(changes), Samples.Median(accepts), Samples.Median(reconciles), Samples.Median(exits));
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

    private sealed record Costs(double Change, double Accept, double Reconcile, double Exit);

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
