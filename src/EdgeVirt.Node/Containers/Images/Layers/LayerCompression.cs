using System.IO.Compression;
using ZstdSharp;
using ZstdSharp.Unsafe;

namespace EdgeVirt.Node.Containers.Images.Layers;

/// <summary>Opens a layer by what its first bytes say: registries are known to mislabel gzip as plain tar.</summary>
internal static class LayerCompression
{
    /// <summary>
    /// 32 MiB of window: RFC 8878 asks 8 MiB of every reader, but podman and skopeo write zstd:chunked with this one. Memory is
    /// touched only as far as a frame reaches back, and one layer is unpacked at a time.
    /// </summary>
    private const int ZstdWindowLog = 25;

    /// <param name="blob">The stored layer; only looked at, then set back to its beginning.</param>
    /// <param name="compressed">What reads <paramref name="blob"/>.</param>
    public static Stream Open(Stream blob, Stream compressed)
    {
        Span<byte> magic = stackalloc byte[4];
        var read = blob.ReadAtLeast(magic, magic.Length, throwOnEndOfStream: false);
        blob.Position = 0;
        return magic[..read] switch
        {
            [0x1f, 0x8b, ..] => new GZipStream(compressed, CompressionMode.Decompress, leaveOpen: true),
            [0x28, 0xb5, 0x2f, 0xfd] => Zstd(compressed),
            _ => compressed,
        };
    }

    /// <summary>Unpacks frames of zstd, one after the other; the stream that they come from stays open.</summary>
    public static Stream Zstd(Stream compressed)
    {
        var stream = new DecompressionStream(compressed, bufferSize: 64 << 10, leaveOpen: true);
        stream.SetParameter(ZSTD_dParameter.ZSTD_d_windowLogMax, ZstdWindowLog);
        return stream;
    }
}
