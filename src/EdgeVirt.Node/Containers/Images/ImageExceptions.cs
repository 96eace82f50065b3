namespace EdgeVirt.Node.Containers.Images;

/// <summary>Why an image is refused for good: the same bytes will be refused again.</summary>
internal enum ImageRefusedReason
{
    /// <summary>A manifest, config or blob does not have the digest that names it.</summary>
    DigestMismatch,

    /// <summary>A blob is longer or shorter than its descriptor says.</summary>
    SizeMismatch,

    /// <summary>A layer's unpacked content does not have the digest that the config promises.</summary>
    DiffIdMismatch,

    /// <summary>A manifest, index or config that says too little, too much or contradicts itself.</summary>
    InvalidManifest,

    /// <summary>A media type that this node does not know.</summary>
    UnsupportedMediaType,

    /// <summary>No variant of the image is for this node's architecture.</summary>
    WrongPlatform,

    /// <summary>A layer is no sound tar, gzip or zstd stream.</summary>
    DamagedArchive,

    /// <summary>A name with <c>..</c>, an absolute name, or one no file system takes.</summary>
    EscapingPath,

    /// <summary>A name that goes through a symbolic link, or through something that is no directory.</summary>
    ThroughSymlink,

    /// <summary>A hard link to something outside its layer.</summary>
    EscapingLink,

    /// <summary>A device node without a number, which overlayfs takes for a whiteout.</summary>
    DeviceNode,

    /// <summary>A whiteout of <c>.</c>, <c>..</c> or nothing.</summary>
    BadWhiteout,

    /// <summary>A kind of entry that layers do not carry (sparse files, for instance).</summary>
    UnsupportedEntry,

    /// <summary>More bytes, entries or expansion than allowed: a decompression bomb, or an image not meant for nodes.</summary>
    TooLarge,
}

/// <summary>The image is refused, and will be until it is another one.</summary>
internal sealed class ImageRefusedException(ImageRefusedReason reason, string message, Exception? inner = null)
    : Exception(message, inner)
{
    public ImageRefusedReason Reason { get; } = reason;

    /// <summary>Whether the image's own bytes, proven by their digest, are what is wrong: asking for the same again cannot help. Other bytes than the digest names may be the source's fault.</summary>
    public bool IsProven => Reason is not (ImageRefusedReason.DigestMismatch or ImageRefusedReason.SizeMismatch);
}

/// <summary>The image cannot be had now; the message says what to do. Trying again later can help.</summary>
internal sealed class ImagePullException(string message, Exception? inner = null) : Exception(message, inner)
{
    /// <summary>Whether trying again within seconds can help: a cut connection, not a wrong password.</summary>
    public bool IsPassing { get; init; }

    /// <summary>Whether the fault lies with this node, a full disk for instance, so that no other source would do better.</summary>
    public bool IsLocal { get; init; }

    /// <summary>Whether it would cost more bytes than the workload allows.</summary>
    public bool IsOverBudget { get; init; }

    /// <summary>Whether a layer would have to be fetched whole, which the workload does not want.</summary>
    public bool IsDeltaUnavailable { get; init; }

    /// <summary>Whether its source is reached only by an uplink that costs more than allowed.</summary>
    public bool IsOverUplinkCost { get; init; }

    /// <summary>How many bytes of room the next attempt wants, above those that always stay free; null: room is not what is missing.</summary>
    public long? RoomWanted { get; init; }

    /// <summary>What the registry asked to wait.</summary>
    public TimeSpan? RetryAfter { get; init; }
}
