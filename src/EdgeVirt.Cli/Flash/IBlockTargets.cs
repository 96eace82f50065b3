namespace EdgeVirt.Cli.Flash;

/// <summary>What a disk is to the computer that it is in.</summary>
internal enum DiskUse
{
    /// <summary>Nothing uses it.</summary>
    Free,

    /// <summary>A file system of it is mounted, or another device is made of it.</summary>
    Mounted,

    /// <summary>The computer runs from it, or swaps to it.</summary>
    System,
}

/// <summary>A disk that could be a target.</summary>
internal sealed record TargetDisk
{
    /// <summary>The kernel's name, such as <c>sdb</c>.</summary>
    public required string Name { get; init; }

    /// <summary>What to give <c>--to</c>, such as <c>/dev/sdb</c>.</summary>
    public required string Path { get; init; }

    /// <summary>Bytes; 0: a reader without a card.</summary>
    public required long Bytes { get; init; }

    /// <summary><c>usb</c>, <c>mmc</c>, <c>nvme</c>, <c>sata</c>, <c>virtio</c>, <c>loop</c>, or <c>other</c>.</summary>
    public required string Bus { get; init; }

    public string? Vendor { get; init; }

    public string? Model { get; init; }

    public string? Serial { get; init; }

    /// <summary>The medium or the whole device is made to be taken out.</summary>
    public bool IsRemovable { get; init; }

    public bool IsReadOnly { get; init; }

    public DiskUse Use { get; init; }

    /// <summary>Where it is mounted, or what is made of it.</summary>
    public IReadOnlyList<string> UsedFor { get; init; } = [];
}

/// <summary>What the operating system does for flashing: all of it that is not reading files.</summary>
internal interface IBlockTargets
{
    /// <summary>Every whole disk, whatever it is used for.</summary>
    IReadOnlyList<TargetDisk> List();

    /// <summary>The disk at a path, also by a link to it; null: that is no whole disk.</summary>
    /// <exception cref="CliException">It is a part of a disk.</exception>
    TargetDisk? Find(string path);

    /// <summary>Opens a disk for writing, past all caches.</summary>
    /// <param name="disk">As found.</param>
    /// <param name="exclusively">Claims it, so that nothing can mount it meanwhile. Without, also what is in use is opened.</param>
    /// <exception cref="CliException">It is in use, write-protected, gone, or not permitted.</exception>
    IFlashTarget OpenDisk(TargetDisk disk, bool exclusively);

    /// <summary>Opens a regular file as if it were a card; makes it where it is not there.</summary>
    /// <param name="path">The file.</param>
    /// <param name="bytes">How long a file gets that is new or empty; others keep their length.</param>
    /// <param name="mayOverwrite">Also a file that holds something.</param>
    /// <exception cref="CliException">It holds something, or cannot be opened.</exception>
    IFlashTarget OpenFile(string path, long bytes, bool mayOverwrite);
}

/// <summary>An open target. Offsets and lengths are multiples of 512, buffers begin at a multiple of 4096.</summary>
internal interface IFlashTarget : IDisposable
{
    string Name { get; }

    long Length { get; }

    /// <summary>Fills the buffer from the medium.</summary>
    /// <exception cref="FlashFault">It cannot be read, or is gone.</exception>
    void Read(long offset, Span<byte> buffer);

    /// <exception cref="FlashFault">It was refused, or the target is gone.</exception>
    void Write(long offset, ReadOnlySpan<byte> bytes);

    /// <summary>Makes all that was written durable, and forgets it, so that it is read from the medium.</summary>
    /// <exception cref="FlashFault">Something of it could not be written.</exception>
    void Sync();

    /// <summary>Tells the system that there are other partitions now.</summary>
    void Finish();
}

/// <summary>Writes what only one card has, such as its name and token, on an image that is verified and does not boot yet.</summary>
internal interface ICardWriter
{
    /// <summary>Called once per target, for several at a time.</summary>
    /// <param name="card">The card as it will be, from its partition table on; seeks, reads and writes at any offset; <c>Flush</c> makes durable.</param>
    /// <param name="index">Which target, in the order of the command line, from 0.</param>
    /// <exception cref="IOException">It could not be done; its message is shown.</exception>
    void Write(Stream card, int index);
}
