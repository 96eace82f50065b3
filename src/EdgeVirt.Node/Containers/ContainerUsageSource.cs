using EdgeVirt.Linux;
using EdgeVirt.Node.Telemetry;

namespace EdgeVirt.Node.Containers;

/// <summary>Reads the control groups of running containers, in either layout.</summary>
internal sealed class ContainerUsageSource(NodeDirectories directories, RecordStore records, Cgroups cgroups) : IUsageSource
{
    public IReadOnlyList<ContainerUsage> Read()
    {
        var usages = new List<ContainerUsage>();
        foreach (var run in records.Containers)
        {
            if (run is { Exit: null, StartedAt: not null } && cgroups.Usage(directories.Cgroup(run.Id)) is { } usage)
            {
                usages.Add(new ContainerUsage(run.Workload, run.Container, usage.CpuSeconds, usage.MemoryBytes));
            }
        }

        return usages;
    }
}
