namespace EdgeVirt.Contracts.Resources;

/// <summary>A file or directory of the node. Only what the node itself allows in its options can be had.</summary>
public sealed record HostPathSource
{
    /// <summary>Absolute path on the node.</summary>
    public required string Path { get; init; }

    /// <summary>What must be there; absent: anything.</summary>
    public HostPathType? Type { get; init; }
}

/// <summary>What must be at a host path before a container starts.</summary>
public enum HostPathType
{
    /// <summary>A directory, made with mode 0755 where nothing is.</summary>
    DirectoryOrCreate,

    /// <summary>A directory.</summary>
    Directory,

    /// <summary>A file, made with mode 0644 where nothing is; its directory must be there.</summary>
    FileOrCreate,

    /// <summary>A file.</summary>
    File,

    /// <summary>A Unix socket.</summary>
    Socket,

    /// <summary>A character device. Seeing it is not yet the right to use it.</summary>
    CharDevice,

    /// <summary>A block device. Seeing it is not yet the right to use it.</summary>
    BlockDevice,
}
