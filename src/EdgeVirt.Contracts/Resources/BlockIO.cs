using System.Text.Json.Serialization;

namespace EdgeVirt.Contracts.Resources;

/// <summary>
/// How much of the disk below the node's data partition a container gets. Kubernetes has no word for it; the block's name is that of
/// the OCI runtime specification, those of the values are the kernel's (cgroup version 2, <c>io.weight</c> and <c>io.max</c>).
/// </summary>
public sealed record BlockIO
{
    /// <summary>Its share when all want more than there is, 1 to 10000; absent: 100, as everybody's.</summary>
    public int? Weight { get; init; }

    /// <summary>Most bytes read per second.</summary>
    [JsonPropertyName("rbps")]
    public Quantity? ReadBytesPerSecond { get; init; }

    /// <summary>Most bytes written per second.</summary>
    [JsonPropertyName("wbps")]
    public Quantity? WriteBytesPerSecond { get; init; }

    /// <summary>Most reads per second.</summary>
    [JsonPropertyName("riops")]
    public long? ReadsPerSecond { get; init; }

    /// <summary>Most writes per second.</summary>
    [JsonPropertyName("wiops")]
    public long? WritesPerSecond { get; init; }

    /// <summary>Whether there is any limit.</summary>
    [JsonIgnore]
    public bool HasLimit => (ReadBytesPerSecond, WriteBytesPerSecond, ReadsPerSecond, WritesPerSecond) is not (null, null, null, null);
}

/// <summary>Real-time scheduling (sched(7)), where the node allows it. Names of the two times are those of the OCI runtime specification.</summary>
public sealed record RealtimeScheduling
{
    /// <summary>Highest priority that its processes may give themselves, 1 to 99 (RLIMIT_RTPRIO).</summary>
    public required int Priority { get; init; }

    /// <summary>Microseconds of each period that all its real-time processes together may run; needs a kernel with real-time groups.</summary>
    public long? RealtimeRuntime { get; init; }

    /// <summary>The period, microseconds; absent: the kernel's.</summary>
    public long? RealtimePeriod { get; init; }
}
