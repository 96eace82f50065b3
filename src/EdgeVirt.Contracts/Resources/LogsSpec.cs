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
}
