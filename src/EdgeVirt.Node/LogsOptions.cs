using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.Containers.Logs;

namespace EdgeVirt.Node;

/// <summary>How much of containers' output is kept, where a workload does not say otherwise.</summary>
internal sealed record LogsOptions
{
    private const long LeastSize = 256 << 10;
    private const long MostSize = 1 << 30;
    private const int MostFiles = 100;
    private const long LeastMemory = 4 << 20;
    private const long MostMemory = 4L << 30;

    /// <summary>Bytes of a log file; when it is full the next one is begun.</summary>
    public long MaxSizeBytes { get; init; } = 10L << 20;

    /// <summary>How many files are kept of each run of a container, that which is being written among them.</summary>
    public int MaxFiles { get; init; } = 5;

    /// <summary>Where what containers write goes first.</summary>
    public LogStorage Storage { get; init; }

    /// <summary>Seconds after which lines that are in memory are on the disk.</summary>
    public int FlushIntervalSeconds { get; init; } = 900;

    /// <summary>Most memory for logs of all containers, bytes.</summary>
    public long MemorySizeBytes { get; init; } = 64L << 20;

    /// <summary>Most that all logs together take of the data partition, bytes; then the oldest of runs that ended go first.</summary>
    public long MaxTotalSizeBytes { get; init; } = 1L << 30;

    /// <summary>Bytes of a file as conmon is to write it: in memory the files are smaller, and more of them are kept.</summary>
    public long PieceBytes => Storage == LogStorage.Memory ? Math.Min(MaxSizeBytes, MemoryLogs.PieceBytes) : MaxSizeBytes;

    /// <summary>How many of those are kept.</summary>
    public int PiecesKept => (int)((MaxSizeBytes * MaxFiles + PieceBytes - 1) / PieceBytes);

    /// <summary>What holds for a workload.</summary>
    public LogsOptions With(LogsSpec? spec) => spec is null ? this : this with
    {
        MaxSizeBytes = (long?)spec.MaxSize?.Value ?? MaxSizeBytes,
        MaxFiles = spec.MaxFiles ?? MaxFiles,
        Storage = spec.Storage ?? Storage,
        FlushIntervalSeconds = spec.FlushIntervalSeconds ?? FlushIntervalSeconds,
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

        if (!Enum.IsDefined(Storage))
        {
            yield return "logs.storage must be Disk or Memory";
        }

        if (FlushIntervalSeconds is < 10 or > 86_400)
        {
            yield return "logs.flushIntervalSeconds must be between 10 and 86400";
        }

        if (MaxTotalSizeBytes < MaxSizeBytes)
        {
            yield return "logs.maxTotalSize must be at least logs.maxSize";
        }

        if (MemorySizeBytes is < LeastMemory or > MostMemory)
        {
            yield return "logs.memorySize must be between 4Mi and 4Gi";
        }
    }
}

/// <summary>The shape of <c>logs</c> in the file; absent keys leave the defaults.</summary>
internal sealed record LogsOptionsFile
{
    public Quantity? MaxSize { get; init; }

    public int? MaxFiles { get; init; }

    public LogStorage? Storage { get; init; }

    public int? FlushIntervalSeconds { get; init; }

    public Quantity? MemorySize { get; init; }

    public Quantity? MaxTotalSize { get; init; }

    public LogsOptions Over(LogsOptions options) => options with
    {
        MaxSizeBytes = (long?)MaxSize?.Value ?? options.MaxSizeBytes,
        MaxFiles = MaxFiles ?? options.MaxFiles,
        Storage = Storage ?? options.Storage,
        FlushIntervalSeconds = FlushIntervalSeconds ?? options.FlushIntervalSeconds,
        MaxTotalSizeBytes = (long?)MaxTotalSize?.Value ?? options.MaxTotalSizeBytes,
        MemorySizeBytes = (long?)MemorySize?.Value ?? options.MemorySizeBytes,
    };
}
