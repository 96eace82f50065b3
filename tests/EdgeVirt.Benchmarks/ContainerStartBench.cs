using System.Diagnostics;
using EdgeVirt.Linux;
using EdgeVirt.Testing;

namespace EdgeVirt.Benchmarks;

/// <summary>
/// From the call to the end of <c>/bin/true</c> in the same busybox root, median of many, one after the other in turns:
/// ours with durable records, conmon, overlay, and with or without the bridge; the bare OCI runtime; podman; docker.
/// Freeing the container afterwards is nobody's part: no <c>--rm</c>, and the bare runtime's <c>--keep</c>.
/// Everything happens in a network namespace of the bench's own, with daemons on sockets of its own.
/// </summary>
internal static class ContainerStartBench
{
    private const int Warm = 3;
    private const int Runs = 15;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    public static async Task<BenchResult> RunAsync()
    {
        using var directory = new TempDirectory();
        using var network = new BenchNetwork("edgevirt-bench");
        await network.RunAsync("ip", "link", "set", "lo", "up");
        var root = BenchEngine.MakeRoot(directory.Subdirectory("root"));
        var archive = directory.Combine("root.tar");
        await ProcessRunner.RunAsync("tar", ["-C", root, "-cf", archive, "."], Patience);
        await using var docker = await DockerEngine.StartAsync(directory.Subdirectory("docker"), network.Name);
        await docker.RunAsync("import", archive, "edgevirt-bench");
        string[] podman = ["--root", directory.Subdirectory("podman"), "--runroot", directory.Subdirectory("podman-run"), "--cgroup-manager", "cgroupfs", "--runtime", "runc"];
        // podman raises limits, which machines without CAP_SYS_RESOURCE refuse.
        string[] limits = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024"];
        await network.RunAsync("podman", [.. podman, "import", archive, "edgevirt-bench"]);
        await using var ours = await BenchEngine.StartAsync(directory.Subdirectory("ours"), root, network.Path);
        var bare = new Bare(directory.Subdirectory("bare"), root, ours.Runtime);

        var times = await MeasureAsync(new()
        {
            ["bare"] = bare.RunAsync,
            ["ours nonet"] = number => ours.RunAsync(number, bridge: false),
            ["ours bridge"] = number => ours.RunAsync(number, bridge: true),
            ["podman nonet"] = _ => network.RunAsync("podman", [.. podman, "run", .. limits, "--network", "none", "edgevirt-bench", "/bin/true"]),
            ["podman bridge"] = _ => network.RunAsync("podman", [.. podman, "run", .. limits, "--network", "podman", "edgevirt-bench", "/bin/true"]),
            ["docker nonet"] = _ => docker.RunAsync("run", "--network", "none", "edgevirt-bench", "/bin/true"),
            ["docker bridge"] = _ => docker.RunAsync("run", "edgevirt-bench", "/bin/true"),
        });
        await network.RunAsync("podman", [.. podman, "rm", "--all", "--force"]);
        await bare.RemoveAsync();
        await ours.RemoveAllAsync();
        var ten = await MeasureAtOnceAsync(ours, 10);
        var fifty = await MeasureAtOnceAsync(ours, 50);
        return new BenchResult(
            "container-start",
            ("ratio_runtime_nonet", times["ours nonet"] / times["bare"]),
            ("ratio_runtime_bridge", times["ours bridge"] / times["bare"]),
            ("speedup_podman", times["podman bridge"] / times["ours bridge"]),
            ("speedup_docker", times["docker bridge"] / times["ours bridge"]),
            ("speedup_podman_nonet", times["podman nonet"] / times["ours nonet"]),
            ("speedup_docker_nonet", times["docker nonet"] / times["ours nonet"]),
            ("bare_ms", times["bare"]),
            ("ours_nonet_ms", times["ours nonet"]),
            ("ours_bridge_ms", times["ours bridge"]),
            ("p50_ms_10", ten),
            ("p50_ms_50", fifty));
    }

    private static async Task<Dictionary<string, double>> MeasureAsync(Dictionary<string, Func<int, Task>> contenders)
    {
        var samples = contenders.Keys.ToDictionary(name => name, _ => new List<double>());
        for (var turn = 0; turn < Warm + Runs; turn++)
        {
            foreach (var (name, run) in contenders)
            {
                var began = Stopwatch.GetTimestamp();
                await run(turn);
                if (turn >= Warm)
                {
                    samples[name].Add(Stopwatch.GetElapsedTime(began).TotalMilliseconds);
                }
            }
        }

        foreach (var (name, values) in samples)
        {
            Console.WriteLine($"{name,-14} median {Samples.Median(values),7:F1} ms   best {values.Min(),7:F1}   worst {values.Max(),7:F1}   ({Runs} runs)");
        }

        return samples.ToDictionary(pair => pair.Key, pair => Samples.Median(pair.Value));
    }

    /// <summary>Median, over containers that are asked for in the same moment, of the time until each of them runs; the best of three rounds.</summary>
    private static async Task<double> MeasureAtOnceAsync(BenchEngine ours, int count)
    {
        var best = double.MaxValue;
        for (var round = 0; round < 3; round++)
        {
            var began = Stopwatch.GetTimestamp();
            var times = await Task.WhenAll(Enumerable.Range(0, count).Select(async number =>
            {
                await ours.StartAsync($"once-{number}", ["/bin/sleep", "100000"], bridge: true);
                return Stopwatch.GetElapsedTime(began).TotalMilliseconds;
            }));
            Console.WriteLine($"{count} at once       median {Samples.Median([.. times]),7:F1} ms   best {times.Min(),7:F1}   worst {times.Max(),7:F1}");
            best = Math.Min(best, Samples.Median([.. times]));
            await ours.RemoveAllAsync();
        }

        return best;
    }

    /// <summary>The runtime itself, with a bundle on the plain directory.</summary>
    private sealed class Bare(string bundle, string root, string runtime)
    {
        public async Task RemoveAsync()
        {
            foreach (var id in Directory.GetDirectories(Path.Combine(bundle, "state")).Select(Path.GetFileName))
            {
                await ProcessRunner.RunAsync(runtime, ["--root", Path.Combine(bundle, "state"), "delete", "--force", id!], Patience);
            }
        }

        public async Task RunAsync(int number)
        {
            var config = Path.Combine(bundle, "config.json");
            if (!File.Exists(config))
            {
                await ProcessRunner.RunAsync(runtime, ["spec", "--bundle", bundle], Patience);
                var json = System.Text.Json.Nodes.JsonNode.Parse(await File.ReadAllTextAsync(config))!;
                json["process"]!["terminal"] = false;
                json["process"]!["args"] = new System.Text.Json.Nodes.JsonArray("/bin/true");
                json["process"]!.AsObject().Remove("rlimits");
                json["root"]!["path"] = root;
                await File.WriteAllTextAsync(config, json.ToJsonString());
            }

            await ProcessRunner.RunAsync(runtime, ["--root", Path.Combine(bundle, "state"), "run", "--keep", "--bundle", bundle, $"bare-{number}"], Patience);
        }
    }
}
