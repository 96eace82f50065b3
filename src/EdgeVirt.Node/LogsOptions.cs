namespace EdgeVirt.Node;

/// <summary>Where what containers write lies until it is on disk.</summary>
internal enum LogStorage
{
    /// <summary>On disk at once.</summary>
    Disk,

    /// <summary>In memory, and on disk now and then: the disk is spared, a power cut costs what came since.</summary>
    Memory,
}

/// <summary>How what containers write is kept. The first two are the kubelet's containerLogMaxSize and containerLogMaxFiles.</summary>
internal sealed record LogsOptions
{
    /// <summary>Bytes from which on a log goes on in a new file.</summary>
    public long MaxSizeBytes { get; init; } = 10 << 20;

    /// <summary>How many files a run of a container keeps, the one being written included.</summary>
    public int MaxFiles { get; init; } = 5;

    /// <summary>Where the newest part lies.</summary>
    public LogStorage Storage { get; init; }

    /// <summary>Seconds between two times that what is in memory goes to disk.</summary>
    public int FlushSeconds { get; init; } = 300;

    /// <summary>Bytes of one run in memory from which on it goes to disk before its time.</summary>
    public long FlushBytes => Math.Min(MaxSizeBytes, 1 << 20);

    /// <summary>
    /// Bytes at which conmon begins anew by itself, and forgets what was there: the bound while no agent makes a new file in
    /// time, or none is there at all.
    /// </summary>
    public long MonitorLimit => Storage == LogStorage.Memory ? 4 * FlushBytes : 2 * MaxSizeBytes;

    /// <summary>Everything that is wrong.</summary>
    public IEnumerable<string> Faults()
    {
        if (MaxSizeBytes is < 64 << 10 or > 1L << 40)
        {
            yield return "logs.maxSizeBytes must be at least 65536";
        }

        if (MaxFiles is < 1 or > 100)
        {
            yield return "logs.maxFiles must be between 1 and 100";
        }

        if (FlushSeconds is < 1 or > 86_400)
        {
            yield return "logs.flushSeconds must be between 1 and 86400";
        }
    }
}

/// <summary>The shape of <c>logs</c> in the file; absent keys leave the defaults.</summary>
internal sealed record LogsOptionsFile
{
    public long? MaxSizeBytes { get; init; }

    public int? MaxFiles { get; init; }

    public LogStorage? Storage { get; init; }

    public int? FlushSeconds { get; init; }

    public LogsOptions Over(LogsOptions options) => new()
    {
        MaxSizeBytes = MaxSizeBytes ?? options.MaxSizeBytes,
        MaxFiles = MaxFiles ?? options.MaxFiles,
        Storage = Storage ?? options.Storage,
        FlushSeconds = FlushSeconds ?? options.FlushSeconds,
    };
}
