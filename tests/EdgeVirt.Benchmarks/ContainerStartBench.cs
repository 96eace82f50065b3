using System.Diagnostics;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Linux;
using EdgeVirt.Node;
using EdgeVirt.Node.Containers;
using EdgeVirt.Node.Containers.Devices;
using EdgeVirt.Node.Containers.Images;
using EdgeVirt.Node.Containers.Oci;
using EdgeVirt.Node.Containers.Volumes;
using EdgeVirt.Node.Networks;
using EdgeVirt.Testing;
using Microsoft.Extensions.Logging.Abstractions;

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
    private const string Namespace = "edgevirt-bench";
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private static readonly string NamespacePath = $"/run/netns/{Namespace}";

    public static async Task<BenchResult> RunAsync()
    {
        using var directory = new TempDirectory();
        NetworkNamespaces.Delete(NamespacePath);
        NetworkNamespaces.Create(NamespacePath);
        try
        {
            await InNamespaceAsync("ip", "link", "set", "lo", "up");
            var root = MakeRoot(directory.Subdirectory("root"));
            var archive = directory.Combine("root.tar");
            await ProcessRunner.RunAsync("tar", ["-C", root, "-cf", archive, "."], Patience);
            await using var docker = await Docker.StartAsync(directory.Subdirectory("docker"), Namespace);
            await docker.RunAsync("import", archive, "edgevirt-bench");
            string[] podman = ["--root", directory.Subdirectory("podman"), "--runroot", directory.Subdirectory("podman-run"), "--cgroup-manager", "cgroupfs", "--runtime", "runc"];
            // podman raises limits, which machines without CAP_SYS_RESOURCE refuse.
            string[] limits = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024"];
            await InNamespaceAsync("podman", [.. podman, "import", archive, "edgevirt-bench"]);
            await using var ours = await Ours.StartAsync(directory.Subdirectory("ours"), root, NamespacePath);
            var bare = new Bare(directory.Subdirectory("bare"), root, ours.Runtime);

            var times = await MeasureAsync(new()
            {
                ["bare"] = bare.RunAsync,
                ["ours nonet"] = number => ours.RunAsync(number, bridge: false),
                ["ours bridge"] = number => ours.RunAsync(number, bridge: true),
                ["podman nonet"] = _ => InNamespaceAsync("podman", [.. podman, "run", .. limits, "--network", "none", "edgevirt-bench", "/bin/true"]),
                ["podman bridge"] = _ => InNamespaceAsync("podman", [.. podman, "run", .. limits, "--network", "podman", "edgevirt-bench", "/bin/true"]),
                ["docker nonet"] = _ => docker.RunAsync("run", "--network", "none", "edgevirt-bench", "/bin/true"),
                ["docker bridge"] = _ => docker.RunAsync("run", "edgevirt-bench", "/bin/true"),
            });
            await InNamespaceAsync("podman", [.. podman, "rm", "--all", "--force"]);
            await bare.RemoveAsync();
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
                ("ours_bridge_ms", times["ours bridge"]));
        }
        finally
        {
            NetworkNamespaces.Delete(NamespacePath);
        }
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
            Console.WriteLine($"{name,-14} median {Median(values),7:F1} ms   best {values.Min(),7:F1}   worst {values.Max(),7:F1}   ({Runs} runs)");
        }

        return samples.ToDictionary(pair => pair.Key, pair => Median(pair.Value));
    }

    private static double Median(List<double> values) => values.Order().ElementAt(values.Count / 2);

    private static Task<ProcessResult> InNamespaceAsync(string file, params string[] args) =>
        NetworkNamespaces.Run(NamespacePath, () => ProcessRunner.RunAsync(file, args, Patience));

    private static string MakeRoot(string root)
    {
        foreach (var path in (string[])["bin", "etc", "proc", "sys", "dev", "tmp", "run"])
        {
            Directory.CreateDirectory(Path.Combine(root, path));
        }

        File.Copy("/bin/busybox", Path.Combine(root, "bin", "busybox"));
        File.CreateSymbolicLink(Path.Combine(root, "bin", "true"), "busybox");
        File.WriteAllText(Path.Combine(root, "etc", "passwd"), "root:x:0:0:root:/:/bin/sh\n");
        return root;
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

    /// <summary>The agent's own runtime, network and records, without the loop around them.</summary>
    private sealed class Ours(NodeOptions options, RecordStore records, OciRuntime runtime, NodeNetwork network, StoredImage image) : IAsyncDisposable
    {
        private readonly NodeDirectories directories = new(options);

        public string Runtime { get; } = RuntimeBinary.Choose(new Cgroups().Layout).Runtime;

        public static async Task<Ours> StartAsync(string directory, string root, string hostNamespace)
        {
            var options = new NodeOptions { DataDir = Path.Combine(directory, "data"), RunDir = Path.Combine(directory, "run") };
            var directories = new NodeDirectories(options);
            var records = new RecordStore(directories, NullLogger<RecordStore>.Instance);
            var network = new NodeNetwork(options, hostNamespace);
            var volumes = new WorkloadVolumes(directories, new PersistentVolumes(directories, NullLogger<PersistentVolumes>.Instance));
            var parts = new SandboxParts(network, volumes, new ContainerMounts(directories, volumes, new HostPaths([])), new HostPaths([]), new DeviceFinder([]));
            var runtime = new OciRuntime(directories, records, parts, new QualityOfService(directories, options, new Cgroups()), TimeProvider.System, NullLogger<OciRuntime>.Instance);
            records.Load();
            await runtime.RecoverAsync(CancellationToken.None);
            return new Ours(options, records, runtime, network, new StoredImage("sha256:bench", new ImageConfig { Cmd = ["/bin/true"] }, [root]));
        }

        public async Task RunAsync(int number, bool bridge)
        {
            var spec = new ContainerSpec { Name = "main", Image = "r.local/bench:1" };
            var workload = new DesiredWorkload
            {
                Name = $"bench-{(bridge ? "b" : "n")}{number}", Uid = "bench", Generation = 1, Template = new PodSpec { Containers = [spec], HostNetwork = !bridge },
            };
            var target = WorkloadTarget.Of("bench", workload, new References(new NodeDocument { Node = "bench" }), null);
            var sandbox = runtime.Allocate(new SandboxRecord
            {
                Id = SandboxRecord.IdOf(workload.Name, workload.Uid), Workload = workload.Name, Uid = workload.Uid, Hash = target.Hash, HostNetwork = !bridge,
            });
            records.Put(sandbox);
            await runtime.CreateSandboxAsync(sandbox, target, CancellationToken.None);
            var record = new ContainerRecord
            {
                Id = ContainerRecord.IdOf(sandbox.Id, "main", 0), SandboxId = sandbox.Id, Workload = workload.Name, Uid = workload.Uid,
                Container = "main", Attempt = 0, Hash = target.Hash, ImageDigest = image.ManifestDigest,
            };
            records.Put(record);
            var durable = Task.Run(() => records.Sync(record));
            await runtime.StartAsync(new ContainerStart(record, durable, spec, target, sandbox, image, []), CancellationToken.None);
            while (runtime.ExitOf(record) is null)
            {
                await Task.Delay(1);
            }
        }

        public async ValueTask DisposeAsync()
        {
            foreach (var container in records.Containers)
            {
                await runtime.ReleaseAsync(container, CancellationToken.None);
            }

            foreach (var sandbox in records.Sandboxes)
            {
                await runtime.RemoveSandboxAsync(sandbox, emptyDirs: true, CancellationToken.None);
            }

            runtime.Dispose();
            network.Dispose();
            Mounts.Unmount(directories.Private, detach: true);
        }
    }

    /// <summary>dockerd and containerd on sockets of the bench's own.</summary>
    private sealed class Docker(ChildProcess containerd, ChildProcess dockerd, string socket) : IAsyncDisposable
    {
        public static async Task<Docker> StartAsync(string directory, string networkNamespace)
        {
            var containerdSocket = Path.Combine(directory, "containerd.sock");
            var socket = Path.Combine(directory, "docker.sock");
            var containerd = ChildProcess.Start(
                "containerd",
                ["--root", Path.Combine(directory, "containerd"), "--state", Path.Combine(directory, "containerd-run"), "--address", containerdSocket],
                Path.Combine(directory, "containerd.log"), networkNamespace);
            await UntilAsync(() => File.Exists(containerdSocket), "containerd");
            var dockerd = ChildProcess.Start(
                "dockerd",
                [
                    "--containerd", containerdSocket, "--data-root", Path.Combine(directory, "data"), "--exec-root", Path.Combine(directory, "exec"),
                    "--pidfile", Path.Combine(directory, "docker.pid"), "--host", $"unix://{socket}",
                ],
                Path.Combine(directory, "dockerd.log"), networkNamespace);
            var docker = new Docker(containerd, dockerd, socket);
            for (var tries = 0; ; tries++)
            {
                var asked = await ProcessRunner.RunAsync("docker", ["--host", $"unix://{socket}", "version"], Patience, check: false);
                if (asked.ExitCode == 0)
                {
                    return docker;
                }

                if (tries == 100 || dockerd.HasExited)
                {
                    await docker.DisposeAsync();
                    throw new InvalidOperationException($"dockerd does not start: {await File.ReadAllTextAsync(Path.Combine(directory, "dockerd.log"))}");
                }

                await Task.Delay(200);
            }
        }

        public Task<ProcessResult> RunAsync(params string[] args) => ProcessRunner.RunAsync("docker", ["--host", $"unix://{socket}", .. args], Patience);

        public async ValueTask DisposeAsync()
        {
            await dockerd.DisposeAsync();
            await containerd.DisposeAsync();
        }

        private static async Task UntilAsync(Func<bool> holds, string what)
        {
            for (var tries = 0; !holds(); tries++)
            {
                if (tries == 200)
                {
                    throw new TimeoutException($"{what} does not start");
                }

                await Task.Delay(50);
            }
        }
    }
}
