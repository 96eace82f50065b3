namespace EdgeVirt.Node.Telemetry;

/// <summary>What one container has used: CPU seconds since it started, bytes of memory now.</summary>
internal sealed record ContainerUsage(string Workload, string Container, double CpuSeconds, long MemoryBytes);

/// <summary>Reads what the containers of this node use. Called once per telemetry interval.</summary>
internal interface IUsageSource
{
    /// <summary>One entry per running container; those that cannot be read are left out.</summary>
    IReadOnlyList<ContainerUsage> Read();
}
