namespace EdgeVirt.Node.Containers.Images;

/// <summary>When images that nobody needs go. As in the kubelet: from the high watermark on, until the low one, the oldest unused first.</summary>
internal sealed record ImageGarbagePolicy
{
    /// <summary>Percent of the data partition in use that starts it.</summary>
    public int HighWatermarkPercent { get; init; } = 85;

    /// <summary>Percent of the data partition in use that ends it.</summary>
    public int LowWatermarkPercent { get; init; } = 80;

    /// <summary>Fewer available bytes than these start it too.</summary>
    public long MinFreeBytes { get; init; } = 256L << 20;

    /// <summary>What was asked for more recently stays whatever happens, so that nothing is taken from under its first container.</summary>
    public TimeSpan MinAge { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>What nobody asked for in so long goes also from an empty disk.</summary>
    public TimeSpan MaxUnusedAge { get; init; } = TimeSpan.FromDays(30);

    public bool IsTooFull(DiskSpace disk) => disk.UsedPercent > HighWatermarkPercent || disk.AvailableBytes < MinFreeBytes;

    public bool HasRoom(DiskSpace disk) => disk.UsedPercent <= LowWatermarkPercent && disk.AvailableBytes >= MinFreeBytes;
}

/// <summary>What must stay.</summary>
/// <param name="Digests">Of manifests whose containers run, or are about to.</param>
/// <param name="References">As workloads name their images, desired now or before: a rollback and a cold start without a link need them.</param>
internal sealed record ImagesInUse(IReadOnlySet<string> Digests, IReadOnlySet<string> References);
