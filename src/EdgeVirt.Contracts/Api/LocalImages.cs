namespace EdgeVirt.Contracts.Api;

/// <summary>The images on one node, as its agent tells them.</summary>
public sealed record LocalImageList
{
    /// <summary>Ordered by reference.</summary>
    public IReadOnlyList<LocalImage> Items { get; init => field = value ?? []; } = [];

    /// <summary>All unpacked layers, manifests, configs and partial downloads, bytes.</summary>
    public long TotalBytes { get; init; }

    /// <summary>Of them, downloads that are not whole yet, bytes.</summary>
    public long PartialBytes { get; init; }
}

/// <summary>One image on one node. Its layers are counted as they are unpacked, before the file system rounds them up.</summary>
public sealed record LocalImage
{
    /// <summary>Names that it goes by; none where a tag has moved on.</summary>
    public IReadOnlyList<string> References { get; init => field = value ?? []; } = [];

    /// <summary>Digest of its manifest.</summary>
    public required string Digest { get; init; }

    /// <summary>What its removal would give back, bytes.</summary>
    public long UniqueBytes { get; init; }

    /// <summary>What other images on the node use too, bytes.</summary>
    public long SharedBytes { get; init; }

    /// <summary>Bytes of layers that came over the link when it was pulled; null: it came by hand, or with another name.</summary>
    public long? FetchedBytes { get; init; }

    /// <summary>Of all its layers as the registry has them, bytes: what a pull of an image with nothing alike on the node would fetch.</summary>
    public long? LayerBytes { get; init; }

    /// <summary>When something last asked for it.</summary>
    public DateTimeOffset? LastUsedAt { get; init; }

    /// <summary>Workloads that use it.</summary>
    public IReadOnlyList<string> UsedBy { get; init => field = value ?? []; } = [];
}
