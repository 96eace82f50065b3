using System.Diagnostics;
using System.Globalization;
using EdgeVirt.Testing;

namespace EdgeVirt.Benchmarks;

/// <summary>
/// Memory of the published agent, connected to a hub and running ten containers: PSS of smaps_rollup as median and most
/// of a minute of ordinary life, after a minute to settle, alone and with the monitors of its containers; size of its
/// binary; and how soon after its start it is ready, as median of five starts beside the running containers.
/// </summary>
internal static class AgentFootprint
{
    private const int Containers = 10;
    private const int Starts = 5;
    private const int Samples = 60;
    private static readonly TimeSpan Settling = TimeSpan.FromSeconds(60);

    public static async Task<BenchResult> RunAsync()
    {
        // With the agent's own settings, not the hurried ones of tests.
        await using var fleet = await Fleet.StartAsync(configure: settings =>
        {
            settings.Remove("telemetryIntervalSeconds");
            settings.Remove("heartbeatSeconds");
        });
        for (var i = 0; i < Containers; i++)
        {
            await fleet.Hub.Api.ApplyAsync(SampleManifests.Sleeper($"bench-{i}"));
        }

        for (var i = 0; i < Containers; i++)
        {
            await fleet.Hub.Api.WaitForWorkloadAsync($"bench-{i}", 1, TimeSpan.FromSeconds(120));
        }

        Console.WriteLine($"{Containers} containers run; letting the agent settle for {Settling.TotalSeconds:F0} s, then watching it for {Samples} s");
        await Task.Delay(Settling);
        List<long> seen = [];
        for (var i = 0; i < Samples; i++)
        {
            seen.Add(ProcessMemory.Pss(fleet.Node.ProcessId));
            await Task.Delay(TimeSpan.FromSeconds(1));
        }

        var agent = seen.Order().ElementAt(Samples / 2);
        var monitors = Monitors(fleet.Node.DataDirectory).Sum(ProcessMemory.Pss);
        List<double> ready = [];
        for (var i = 0; i < Starts; i++)
        {
            await fleet.Node.KillAsync();
            var clock = Stopwatch.GetTimestamp();
            await fleet.Node.StartAsync();
            ready.Add(Stopwatch.GetElapsedTime(clock).TotalMilliseconds);
        }

        await fleet.WaitForNodeAsync(fleet.Node.Name);
        return new BenchResult(
            "agent-footprint",
            ("agent_pss_mb", agent / 1e6),
            ("agent_pss_max_mb", seen.Max() / 1e6),
            ("sum_pss_mb", (agent + monitors) / 1e6),
            ("binary_mb", new FileInfo(PublishedBinaries.Agent).Length / 1e6),
            ("ready_ms", ready.Order().ElementAt(Starts / 2)),
            ("ready_own_ms", double.Parse(fleet.Node.ReadyMark, CultureInfo.InvariantCulture)));
    }

    private static IEnumerable<int> Monitors(string dataDirectory)
    {
        foreach (var process in Process.GetProcessesByName("conmon"))
        {
            using (process)
            {
                if (File.ReadAllText($"/proc/{process.Id}/cmdline").Contains(dataDirectory, StringComparison.Ordinal))
                {
                    yield return process.Id;
                }
            }
        }
    }
}
