using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.State;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace EdgeVirt.Node.Tests.State;

/// <summary>A data directory of its own, and stores on it.</summary>
internal sealed class StateFixture : IDisposable
{
    public StateFixture()
    {
        Directory = System.IO.Directory.CreateTempSubdirectory("edgevirt-state-").FullName;
        Options = new NodeOptions { DataDir = Directory };
        Quarantine = new Quarantine(Options, Time, NullLogger<Quarantine>.Instance);
        Health = new StorageHealth(Quarantine, Time);
    }

    public string Directory { get; }

    public NodeOptions Options { get; }

    public FakeTimeProvider Time { get; } = new(new DateTimeOffset(2026, 5, 1, 12, 0, 0, TimeSpan.Zero));

    public Quarantine Quarantine { get; }

    public StorageHealth Health { get; }

    public string Database => Path.Combine(Options.StateDirectory, "node.db");

    public IReadOnlyList<string> Quarantined => System.IO.Directory.Exists(Options.QuarantineDirectory)
        ? [.. System.IO.Directory.GetFiles(Options.QuarantineDirectory).Select(path => Path.GetFileName(path)!)]
        : [];

    public static NodeDocument Document(int workloads, string image = "localhost:5000/a:1") => new()
    {
        Node = "n1",
        Workloads = [.. Enumerable.Range(0, workloads).Select(i => new DesiredWorkload
        {
            Name = $"w{i:D4}",
            Uid = $"uid-{i}",
            Generation = 1,
            Template = new PodSpec { Containers = [new ContainerSpec { Name = "main", Image = i == 0 ? image : "localhost:5000/b:1" }] },
        })],
        Configs = [new DesiredConfig { Name = "settings", Data = new Dictionary<string, string> { ["a"] = "1" } }],
        Secrets = [new DesiredSecret { Name = "password", Data = new Dictionary<string, byte[]> { ["p"] = "hunter2-hunter2"u8.ToArray() } }],
    };

    public static ObservedWorkload Observed(string name, long generation = 1) =>
        new(name, $"uid-{name}", new WorkloadInstanceStatus { Node = "n1", ObservedGeneration = generation });

    public NodeStore Open() => new(
        new StoreFiles(Options, Quarantine, Health, NullLogger<StoreFiles>.Instance), Time, NullLogger<NodeStore>.Instance);

    public string RevisionFile(ulong revision) => Path.Combine(Options.StateDirectory, "desired", $"revision-{revision}.bin");

    public void Dispose() => System.IO.Directory.Delete(Directory, recursive: true);
}
