using System.Globalization;

namespace EdgeVirt.Node.Containers.Images.Deltas;

/// <summary>
/// What the annotations of a zstd:chunked layer say (containers/storage, pkg/chunked): its tar is a row of zstd frames, a file's
/// content in frames of its own, and behind it lies a table of contents, which other readers skip.
/// </summary>
/// <param name="Contents">Where the compressed table of contents lies.</param>
/// <param name="ContentsBytes">Its size when it is unpacked.</param>
/// <param name="ContentsDigest">Of its compressed bytes.</param>
internal sealed record ChunkedLayer(ByteRange Contents, long ContentsBytes, string ContentsDigest)
{
    /// <summary>Most bytes of a table of contents as it comes; and unpacked, which is read in pieces.</summary>
    public const long MaxPackedBytes = 8 << 20;

    /// <inheritdoc cref="MaxPackedBytes"/>
    public const long MaxUnpackedBytes = 64 << 20;

    private const int SkippableHeader = 8;

    /// <summary>The project that the annotations are named after has moved since Debian 12's tools.</summary>
    private static readonly string[] s_prefixes = ["io.github.containers.zstd-chunked.", "io.containers.zstd-chunked."];

    /// <summary>Where the tar's raw headers lie (tar-split), if the writer kept them. They have a digest, but the layer's own proves them as well.</summary>
    public ByteRange? Headers { get; init; }

    /// <summary>Where the frames of the tar end.</summary>
    public long TarEnd => Math.Min(Contents.Start, Headers?.Start ?? long.MaxValue) - SkippableHeader;

    /// <exception cref="NoDeltaException">It is no such layer, or its annotations make no sense.</exception>
    public static ChunkedLayer From(Descriptor layer)
    {
        string? Annotation(string name) => s_prefixes.Select(prefix => layer.Annotations?.GetValueOrDefault(prefix + name)).FirstOrDefault(text => text is not null);

        if (Annotation("manifest-position") is not { } position || Annotation("manifest-checksum") is not { } checksum)
        {
            throw new NoDeltaException("it is not compressed as zstd:chunked");
        }

        var contents = Range(position, 4, layer.Size, out var numbers);
        if (!Digest.IsDigest(checksum) || numbers[3] != 1)
        {
            throw new NoDeltaException("its annotations are of a kind of zstd:chunked that this node does not know");
        }

        if (contents.Length > MaxPackedBytes || numbers[2] > MaxUnpackedBytes)
        {
            throw new NoDeltaException($"its table of contents is too large ({contents.Length} bytes, {numbers[2]} unpacked)");
        }

        var chunked = new ChunkedLayer(contents, numbers[2], checksum);
        return Annotation("tarsplit-position") is not { } headers ? chunked : chunked with { Headers = Range(headers, 3, layer.Size, out _) };
    }

    private static ByteRange Range(string text, int count, long size, out long[] numbers)
    {
        var parts = text.Split(':');
        numbers = new long[parts.Length];
        for (var i = 0; i < parts.Length; i++)
        {
            if (!long.TryParse(parts[i], NumberStyles.None, CultureInfo.InvariantCulture, out numbers[i]))
            {
                throw Wrong(text);
            }
        }

        return parts.Length == count && numbers[0] >= SkippableHeader && numbers[1] > 0 && numbers[0] <= size - numbers[1]
            ? new ByteRange(numbers[0], numbers[0] + numbers[1])
            : throw Wrong(text);
    }

    private static NoDeltaException Wrong(string text) =>
        new($"its annotations are wrong: '{(text.Length > 100 ? text[..100] : text)}' is no place in the layer");
}
