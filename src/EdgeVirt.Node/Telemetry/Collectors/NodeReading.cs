using EdgeVirt.Contracts.Protos;
using EdgeVirt.Linux;

namespace EdgeVirt.Node.Telemetry;

/// <summary>Reads the machine and its containers. Shares of time are those since its own reading before. Not thread-safe.</summary>
internal sealed class NodeReading(NodeOptions options, IEnumerable<IUsageSource> usage, IEnumerable<ReadSamples> others, TimeProvider time)
{
    private readonly SystemCollector system = new(options.DataDir);

    /// <summary>Everything that can be read now.</summary>
    public TelemetryRecord Collect()
    {
        var record = new TelemetryRecord
        {
            TimeUnixMs = time.GetUtcNow().ToUnixTimeMilliseconds(),
            BootId = SystemFacts.BootId ?? "",
            UptimeMs = system.UptimeMilliseconds(),
        };
        system.Collect(record);
        var sink = new SampleSink(record);
        foreach (var source in usage)
        {
            foreach (var container in source.Read())
            {
                sink.Add("container.cpu.time", container.CpuSeconds, "workload", container.Workload, "container", container.Container);
                sink.Add("container.memory.usage", container.MemoryBytes, "workload", container.Workload, "container", container.Container);
            }
        }

        foreach (var other in others)
        {
            other(sink);
        }

        return record;
    }
}
