namespace EdgeVirt.Node;

/// <summary>How images are fetched and kept on the node.</summary>
internal sealed record ImagesOptions
{
    /// <summary>How many layers of an image are fetched side by side.</summary>
    public int MaxConcurrentDownloads { get; init; } = 3;

    /// <summary>Percent of the data partition in use from which on unused images are removed.</summary>
    public int HighWatermarkPercent { get; init; } = 85;

    /// <summary>Percent of the data partition in use at which that ends.</summary>
    public int LowWatermarkPercent { get; init; } = 80;

    /// <summary>Bytes of the data partition that images never take; unused ones are removed before.</summary>
    public long MinFreeBytes { get; init; } = 256L << 20;

    /// <summary>Days after which an image that nobody asked for is removed also from an empty disk.</summary>
    public int MaxUnusedDays { get; init; } = 30;

    /// <summary>Most that an uplink may cost which pulls use, for workloads that do not say; absent: whatever it costs.</summary>
    public int? MaxUplinkCost { get; init; }

    /// <summary>Everything that is wrong.</summary>
    public IEnumerable<string> Faults()
    {
        if (MaxConcurrentDownloads is < 1 or > 16)
        {
            yield return "images.maxConcurrentDownloads must be between 1 and 16";
        }

        if (HighWatermarkPercent is < 1 or > 100 || LowWatermarkPercent < 0 || LowWatermarkPercent >= HighWatermarkPercent)
        {
            yield return "images.highWatermarkPercent must be at most 100 and greater than images.lowWatermarkPercent";
        }

        if (MinFreeBytes < 0)
        {
            yield return "images.minFreeBytes must not be negative";
        }

        if (MaxUplinkCost is < 0 or > UplinkOptions.MaxCost)
        {
            yield return $"images.maxUplinkCost must be between 0 and {UplinkOptions.MaxCost}";
        }

        if (MaxUnusedDays is < 1 or > 3650)
        {
            yield return "images.maxUnusedDays must be between 1 and 3650";
        }
    }
}

/// <summary>The shape of <c>images</c> in the file; absent keys leave the defaults.</summary>
internal sealed record ImagesOptionsFile
{
    public int? MaxConcurrentDownloads { get; init; }

    public int? HighWatermarkPercent { get; init; }

    public int? LowWatermarkPercent { get; init; }

    public long? MinFreeBytes { get; init; }

    public int? MaxUnusedDays { get; init; }

    public int? MaxUplinkCost { get; init; }

    public ImagesOptions Over(ImagesOptions options) => options with
    {
        MaxConcurrentDownloads = MaxConcurrentDownloads ?? options.MaxConcurrentDownloads,
        HighWatermarkPercent = HighWatermarkPercent ?? options.HighWatermarkPercent,
        LowWatermarkPercent = LowWatermarkPercent ?? options.LowWatermarkPercent,
        MinFreeBytes = MinFreeBytes ?? options.MinFreeBytes,
        MaxUnusedDays = MaxUnusedDays ?? options.MaxUnusedDays,
        MaxUplinkCost = MaxUplinkCost ?? options.MaxUplinkCost,
    };
}
