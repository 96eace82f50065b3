namespace EdgeVirt.Node.Telemetry;

/// <summary>
/// The directory of the outbox, as the operating system gives it (and as the tests' power cuts take it away).
/// Names are plain file names. Everything fails with <see cref="IOException"/>.
/// </summary>
internal interface IOutboxStorage
{
    /// <summary>Makes the directory where it is missing.</summary>
    void EnsureDirectory();

    /// <summary>Names of the files.</summary>
    IReadOnlyList<string> List();

    /// <summary>Opens for reading and writing; <paramref name="create"/> makes it new and empty.</summary>
    IOutboxFile Open(string name, bool create);

    void Rename(string from, string to);

    void Delete(string name);

    /// <summary>Makes creations, renames and deletions durable.</summary>
    void SyncDirectory();

    /// <summary>Keeps a copy of a damaged file where people find it. Best effort.</summary>
    void Quarantine(string name);
}

/// <summary>One file of the outbox.</summary>
internal interface IOutboxFile : IDisposable
{
    long Length { get; }

    /// <summary>Bytes read; fewer than asked for only at the end of the file.</summary>
    int Read(long offset, Span<byte> target);

    void Write(long offset, ReadOnlySpan<byte> bytes);

    void Truncate(long length);

    /// <summary>fdatasync.</summary>
    void Sync();
}
