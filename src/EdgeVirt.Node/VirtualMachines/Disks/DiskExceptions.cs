namespace EdgeVirt.Node.VirtualMachines.Disks;

/// <summary>Why a disk is refused for good: the same bytes will be refused again.</summary>
internal enum DiskRefusedReason
{
    /// <summary>Its content is not what its checksum promises.</summary>
    ChecksumMismatch,

    /// <summary>It is damaged, or no disk at all.</summary>
    Corrupt,

    /// <summary>It wants another file: a backing file or an external data file.</summary>
    NamesAnotherFile,

    /// <summary>It is encrypted, or in a format that is not taken.</summary>
    Unsupported,

    /// <summary>It could grow beyond what the node has.</summary>
    TooLarge,

    /// <summary>It is to be smaller than it is.</summary>
    Shrinks,

    /// <summary>The image has no disk where one has to be.</summary>
    NotInImage,
}

/// <summary>A disk is refused, and will be until it is another one. The message says what to do.</summary>
internal sealed class DiskRefusedException(DiskRefusedReason reason, string message, Exception? inner = null) : Exception(message, inner)
{
    public DiskRefusedReason Reason { get; } = reason;
}

/// <summary>A disk cannot be had now; trying again later can help. The message says what to do.</summary>
internal sealed class DiskUnavailableException(string message, Exception? inner = null) : Exception(message, inner);
