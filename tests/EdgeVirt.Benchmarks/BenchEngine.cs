using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Linux;
using EdgeVirt.Node;
using EdgeVirt.Node.Containers;
using EdgeVirt.Node.Containers.Devices;
using EdgeVirt.Node.Containers.Images;
using EdgeVirt.Node.Containers.Logs;
using EdgeVirt.Node.Containers.Oci;
using EdgeVirt.Node.Containers.Volumes;
using EdgeVirt.Node.Networks;
using Microsoft.Extensions.Logging.Abstractions;

namespace EdgeVirt.Benchmarks;

/// <summary>The agent's own runtime, network and records, without the loop around them, on a root with busybox.</summary>
internal sealed class BenchEngine(NodeOptions options, RecordStore records, OciRuntime runtime, NodeNetwork network, StoredImage image) : IAsyncDisposable
{
    /// <summary>Where this engine keeps its files.</summary>
    public NodeDirectories Directories { get; } = new(options);

    /// <summary>The OCI runtime that it uses here.</summary>
    public string Runtime { get; } = RuntimeBinary.Choose(new Cgroups().Layout).Runtime;

    /// <param name="directory">For everything that it keeps.</param>
    /// <param name="root">Of its one image, see <see cref="MakeRoot"/>.</param>
    /// <param name="hostNamespace">The network namespace that it takes for the node's.</param>
    public static async Task<BenchEngine> StartAsync(string directory, string root, string hostNamespace)
    {
        var options = new NodeOptions { DataDir = Path.Combine(directory, "data"), RunDir = Path.Combine(directory, "run") };
        var directories = new NodeDirectories(options);
        var records = new RecordStore(directories, NullLogger<RecordStore>.Instance);
        var network = new NodeNetwork(options, hostNamespace);
        var volumes = new WorkloadVolumes(directories, new PersistentVolumes(directories, NullLogger<PersistentVolumes>.Instance));
        var parts = new SandboxParts(network, volumes, new ContainerMounts(directories, volumes, new HostPaths([])), new HostPaths([]), new DeviceFinder([]), new LogRotation(directories, records, options.Logs, TimeProvider.System, NullLogger<LogRotation>.Instance));
        var runtime = new OciRuntime(directories, records, parts, new QualityOfService(directories, options, new Cgroups()), TimeProvider.System, NullLogger<OciRuntime>.Instance);
        records.Load();
        await runtime.RecoverAsync(CancellationToken.None);
        return new BenchEngine(options, records, runtime, network, new StoredImage("sha256:bench", new ImageConfig { Cmd = ["/bin/true"] }, [root]));
    }

    /// <summary>A root with busybox as <c>true</c> and <c>sleep</c>.</summary>
    public static string MakeRoot(string root)
    {
        foreach (var path in (string[])["bin", "etc", "proc", "sys", "dev", "tmp", "run"])
        {
            Directory.CreateDirectory(Path.Combine(root, path));
        }

        File.Copy("/bin/busybox", Path.Combine(root, "bin", "busybox"));
        File.CreateSymbolicLink(Path.Combine(root, "bin", "true"), "busybox");
        File.CreateSymbolicLink(Path.Combine(root, "bin", "sleep"), "busybox");
        File.WriteAllText(Path.Combine(root, "etc", "passwd"), "root:x:0:0:root:/:/bin/sh\n");
        return root;
    }

    /// <summary>Runs <c>/bin/true</c> to its end.</summary>
    public async Task RunAsync(int number, bool bridge)
    {
        var record = await StartAsync($"bench-{(bridge ? "b" : "n")}{number}", null, bridge);
        while (runtime.ExitOf(record) is null)
        {
            await Task.Delay(1);
        }
    }

    /// <summary>Starts a container; it runs when this ends.</summary>
    /// <param name="name">Of its workload.</param>
    /// <param name="command">Null: the image's.</param>
    /// <param name="bridge">With a network of its own.</param>
    public async Task<ContainerRecord> StartAsync(string name, IReadOnlyList<string>? command, bool bridge)
    {
        var spec = new ContainerSpec { Name = "main", Image = "r.local/bench:1", Command = command };
        var workload = new DesiredWorkload
        {
            Name = name, Uid = "bench", Generation = 1, Template = new PodSpec { Containers = [spec], HostNetwork = !bridge },
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
        return record;
    }

    /// <summary>Ends and forgets all containers.</summary>
    public async Task RemoveAllAsync()
    {
        foreach (var container in records.Containers.ToList())
        {
            await runtime.ReleaseAsync(container, CancellationToken.None);
            records.RemoveContainer(container.Id);
        }

        foreach (var sandbox in records.Sandboxes.ToList())
        {
            await runtime.RemoveSandboxAsync(sandbox, emptyDirs: true, CancellationToken.None);
            records.RemoveSandbox(sandbox.Id);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await RemoveAllAsync();
        runtime.Dispose();
        network.Dispose();
        Mounts.Unmount(Directories.Private, detach: true);
    }
}
