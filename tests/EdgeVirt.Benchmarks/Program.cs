using EdgeVirt.Benchmarks;
using EdgeVirt.Node.Tests.Fuzz;
using EdgeVirt.Testing;

// Not a bench, but what runs for as long as one wants: ./dev fuzz.
if (args is ["fuzz", .. var rest])
{
    return FuzzRun.Command(rest, RepositoryRoot.Combine("artifacts", "fuzz"));
}

// The benches, by the name that ./dev bench takes. Each measures, prints what it saw, and closes with one line of figures.
(string Name, string What, Func<Task<BenchResult>> Run)[] benches =
[
    ("agent-footprint", "memory, size and start of the published agent with ten containers", AgentFootprint.RunAsync),
    ("outbox", "durable telemetry records per second, alone and in groups, beside SQLite; and how fast they drain", OutboxBench.RunAsync),
    ("container-start", "ours beside the bare OCI runtime, podman and docker, with bridge and without", ContainerStartBench.RunAsync),
    ("container-density", "memory of an idle container, its monitor included, over the bare process", ContainerDensityBench.RunAsync),
    ("image-pull", "ours beside skopeo with umoci and podman, cold; bytes over a link that is cut; bytes of a new version", ImagePullBench.RunAsync),
    ("vm-start", "a virtual machine beside the same QEMU run by hand, and the memory beside the guest's", VmStartBench.RunAsync),
    ("node-os", "sizes of the node OS, and what the agent adds to its boot on an emulated board", NodeOsBench.RunAsync),
    ("reconcile-scale", "one change among 10, 100 and 1,000 workloads", ReconcileScale.RunAsync),
];

var wanted = args is [var name] ? benches.FirstOrDefault(bench => bench.Name == name) : default;
if (wanted.Run is null)
{
    Console.Error.WriteLine("usage: ./dev bench NAME, where NAME is one of");
    foreach (var bench in benches)
    {
        Console.Error.WriteLine($"  {bench.Name,-18} {bench.What}");
    }

    return 2;
}

(await wanted.Run()).Publish();
return 0;
