using EdgeVirt.Benchmarks;

// The benches, by the name that ./dev bench takes. Each measures, prints what it saw, and closes with one line of figures.
(string Name, string What, Func<Task<BenchResult>> Run)[] benches =
[
    ("agent-footprint", "memory, size and start of the published agent with ten containers", AgentFootprint.RunAsync),
    ("outbox", "durable telemetry records per second, alone and in groups, beside SQLite; and how fast they drain", OutboxBench.RunAsync),
    ("container-start", "ours beside the bare OCI runtime, podman and docker, with bridge and without", ContainerStartBench.RunAsync),
    ("image-pull", "ours beside skopeo with umoci and podman, cold; bytes over a link that is cut; bytes of a new version", ImagePullBench.RunAsync),
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
