using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Node;

/// <summary>How much of containers' output is kept, where a workload does not say otherwise.</summary>
internal sealed record LogsOptions
{
    private const long LeastSize = 256 << 10;
    private const long MostSize = 1 << 30;
    private const int MostFiles = 100;

    /// <summary>Bytes of a log file; when it is full the next one is begun.</summary>
    public long MaxSizeBytes { get; init; } = 10L << 20;

    /// <summary>How many files are kept of each run of a container, that which is being written among them.</summary>
    public int MaxFiles { get; init; } = 5;

    /// <summary>What holds for a workload.</summary>
    public LogsOptions With(LogsSpec? spec) => spec is null ? this : this with
    {
        MaxSizeBytes = (long?)spec.MaxSize?.Value ?? MaxSizeBytes,
        MaxFiles = spec.MaxFiles ?? MaxFiles,
    };

    /// <summary>Everything that is wrong.</summary>
    public IEnumerable<string> Faults()
    {
        if (MaxSizeBytes is < LeastSize or > MostSize)
        {
            yield return "logs.maxSize must be between 256Ki and 1Gi";
        }

        if (MaxFiles is < 1 or > MostFiles)
        {
            yield return $"logs.maxFiles must be between 1 and {MostFiles}";
        }
    }
}

/// <summary>The shape of <c>logs</c> in the file; absent keys leave the defaults.</summary>
internal sealed record LogsOptionsFile
{
    public Quantity? MaxSize { get; init; }

    public int? MaxFiles { get; init; }

    public LogsOptions Over(LogsOptions options) => options with
    {
        MaxSizeBytes = (long?)MaxSize?.Value ?? options.MaxSizeBytes,
        MaxFiles = MaxFiles ?? options.MaxFiles,
    };
}
