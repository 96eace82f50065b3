using System.Diagnostics;
using EdgeVirt.Linux;
using EdgeVirt.Node.Containers.Oci;
using EdgeVirt.Testing;

namespace EdgeVirt.Benchmarks;

/// <summary>
/// What an idle container takes of memory over the process in it: PSS of its processes and of its monitor, less that of the same
/// program as a bare process. Both are taken of fifty at a time, so that what they share counts alike.
/// </summary>
internal static class ContainerDensityBench
{
    private const int Count = 50;
    private static readonly TimeSpan Settling = TimeSpan.FromSeconds(3);

    public static async Task<BenchResult> RunAsync()
    {
        using var directory = new TempDirectory();
        using var network = new BenchNetwork("edgevirt-density");
        var root = BenchEngine.MakeRoot(directory.Subdirectory("root"));
        var bare = await BareAsync(Path.Combine(root, "bin", "sleep"));
        await using var engine = await BenchEngine.StartAsync(directory.Subdirectory("ours"), root, network.Path);
        for (var number = 0; number < Count; number++)
        {
            await engine.StartAsync($"idle-{number}", ["/bin/sleep", "100000"], bridge: false);
        }

        await Task.Delay(Settling);
        var monitors = Conmon.Find(engine.Directories.Bundles).Values.Select(monitor => monitor.Pid).ToHashSet();
        var contained = AllProcesses().Where(process => Processes.ParentOf(process) is { } parent && monitors.Contains(parent.Pid)).ToList();
        if (monitors.Count != Count || contained.Count != Count)
        {
            throw new InvalidOperationException($"{Count} containers were started, but {contained.Count} run under {monitors.Count} monitors");
        }

        var conmon = monitors.Sum(ProcessMemory.Pss) / (double)Count;
        var inside = contained.Sum(ProcessMemory.Pss) / (double)Count;
        Console.WriteLine($"of one, bytes: bare process {bare:F0}, the same in a container {inside:F0}, conmon {conmon:F0}");
        return new BenchResult(
            "container-density",
            ("overhead_mb", (conmon + inside - bare) / 1e6),
            ("conmon_pss_mb", conmon / 1e6),
            ("process_pss_mb", inside / 1e6),
            ("bare_pss_mb", bare / 1e6),
            ("containers", Count));
    }

    private static async Task<double> BareAsync(string program)
    {
        List<Process> processes = [];
        try
        {
            for (var number = 0; number < Count; number++)
            {
                processes.Add(Process.Start(program, ["100000"]));
            }

            await Task.Delay(Settling);
            return processes.Sum(process => ProcessMemory.Pss(process.Id)) / (double)Count;
        }
        finally
        {
            foreach (var process in processes)
            {
                process.Kill();
                await process.WaitForExitAsync();
                process.Dispose();
            }
        }
    }

    private static IEnumerable<int> AllProcesses() =>
        Directory.EnumerateDirectories("/proc").Select(path => int.TryParse(Path.GetFileName(path), out var id) ? id : 0).Where(id => id > 0);
}
