namespace EdgeVirt.Contracts.Resources;

/// <summary>
/// How much of each container's output is kept. The names are those of the kubelet's containerLogMaxSize and
/// containerLogMaxFiles; what is absent is as the node says.
/// </summary>
public sealed record LogsSpec
{
    /// <summary>Bytes of a log file; when it is full the next one is begun. 256Ki to 1Gi.</summary>
    public Quantity? MaxSize { get; init; }

    /// <summary>How many files are kept of each run of a container, that which is being written among them; 1 to 100.</summary>
    public int? MaxFiles { get; init; }

    /// <summary>Where what is written goes first; absent: as the node says.</summary>
    public LogStorage? Storage { get; init; }

    /// <summary>With <see cref="LogStorage.Memory"/>, seconds after which lines are on the disk at the latest, 10 to 86400; a power cut takes what is not.</summary>
    public int? FlushIntervalSeconds { get; init; }
}

/// <summary>Where what a container writes goes first.</summary>
public enum LogStorage
{
    /// <summary>To the disk.</summary>
    Disk,

    /// <summary>To memory, and to the disk seldom: in time, and when a run failed or the agent ends. It spares flash.</summary>
    Memory,
}
