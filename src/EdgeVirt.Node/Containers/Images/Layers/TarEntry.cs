using EdgeVirt.Linux;
using EdgeVirt.Linux.Files;

namespace EdgeVirt.Node.Containers.Images.Layers;

internal enum TarKind
{
    File,
    HardLink,
    SymbolicLink,
    CharacterDevice,
    BlockDevice,
    Directory,
    Fifo,
}

/// <summary>One entry of a tar stream. Names are bytes, as the archive has them.</summary>
internal sealed record TarEntry(TarKind Kind, byte[] Name, byte[] LinkName, long Size, EntryMetadata Metadata)
{
    /// <summary>Of a device alone.</summary>
    public DeviceNumber Device { get; init; }
}
