using System.Text.Json.Serialization;

namespace EdgeVirt.Contracts.Resources;

/// <summary>What a container is given and what it may use; meanings are those of Kubernetes.</summary>
public sealed record ResourceRequirements
{
    /// <summary>What is kept for it when the node is short; where one is absent, the limit counts.</summary>
    public ResourceRequests? Requests { get; init; }

    /// <summary>Hard limits.</summary>
    public ResourceLimits? Limits { get; init; }

    /// <summary>The only CPUs that it runs on, as <c>0-2,4</c> (OCI runtime specification, <c>cpu.cpus</c>); absent: all.</summary>
    public string? Cpus { get; init; }

    /// <summary>Bytes from which on its memory is reclaimed and it is slowed down, well before the limit ends it (cgroup version 2, <c>memory.high</c>).</summary>
    public Quantity? MemoryHigh { get; init; }

    /// <summary>Its share of the disk.</summary>
    public BlockIO? BlockIO { get; init; }

    /// <summary>Real-time priority for its processes.</summary>
    public RealtimeScheduling? Realtime { get; init; }
}

/// <summary>What is kept for one container.</summary>
public sealed record ResourceRequests
{
    /// <summary>Its share of CPU when all want more than there is: CPUs, e.g. <c>500m</c> or <c>2</c>.</summary>
    public Quantity? Cpu { get; init; }

    /// <summary>Memory that the kernel does not take from it for others: bytes, e.g. <c>64Mi</c>.</summary>
    public Quantity? Memory { get; init; }
}

/// <summary>Hard limits of one container.</summary>
public sealed record ResourceLimits
{
    /// <summary>CPUs, e.g. <c>500m</c> or <c>2</c>.</summary>
    public Quantity? Cpu { get; init; }

    /// <summary>Bytes, e.g. <c>64Mi</c>.</summary>
    public Quantity? Memory { get; init; }

    /// <summary>Processes and threads.</summary>
    public int? Pids { get; init; }

    /// <summary>Bytes that it may write to its root, at least 1Mi: a file system of its own that can be full, as <c>emptyDir.sizeLimit</c>. Absent: no limit.</summary>
    [JsonPropertyName("ephemeral-storage")]
    public Quantity? EphemeralStorage { get; init; }

    /// <summary>Bytes of huge pages of 2 MiB.</summary>
    [JsonPropertyName("hugepages-2Mi")]
    public Quantity? Hugepages2Mi { get; init; }

    /// <summary>Bytes of huge pages of 1 GiB.</summary>
    [JsonPropertyName("hugepages-1Gi")]
    public Quantity? Hugepages1Gi { get; init; }
}
