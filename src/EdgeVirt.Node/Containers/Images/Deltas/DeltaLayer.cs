using EdgeVirt.Linux.Files;
using EdgeVirt.Node.Containers.Images.Layers;

namespace EdgeVirt.Node.Containers.Images.Deltas;

/// <summary>A layer that is put together from other layers and from ranges of its blob.</summary>
internal sealed class DeltaLayer(Descriptor layer, ChunkedLayer chunked, TableOfContents contents, RangeSpool spool, LayerStore layers) : IDisposable
{
    /// <summary>About what a request and its answer cost beside the bytes that were asked for.</summary>
    private const long RequestBytes = 1 << 10;

    /// <summary>A request takes as long as the link is slow; past so many some bytes more are the better bargain.</summary>
    private const int MostRequests = 1000;

    public RangeSpool Spool => spool;

    /// <summary>Whether headers of the tar are foreseen where they can be; else all are fetched.</summary>
    public bool IsForeseen { get; private set; } = chunked.Headers is null && contents.IsForeseen.Any(isForeseen => isForeseen);

    /// <summary>Whether anything of it is on this node.</summary>
    public bool HasLocal => contents.Pieces.Any(piece => piece.Local is not null);

    /// <summary>Chain ids of the layers that it takes from.</summary>
    public IEnumerable<string> Sources => contents.Pieces.Select(piece => piece.Local?.Layer).OfType<string>().Distinct();

    /// <summary>What has to be fetched, in order.</summary>
    public List<ByteRange> Ranges()
    {
        var missing = contents.Pieces.Where(piece => piece.IsMissing).Select(piece => new ByteRange(piece.Start, piece.End));
        var headers = chunked.Headers is { } split
            ? [split]
            : Enumerable.Range(0, contents.Pieces.Count + 1).Where(index => contents.HasGap(index) && !(IsForeseen && index < contents.Pieces.Count && contents.IsForeseen[index])).Select(index => contents.Gap(index, chunked.TarEnd));
        return ByteRange.Join([.. missing, .. headers], RequestBytes, MostRequests);
    }

    /// <summary>What its fetch will still cost, bytes, requests included.</summary>
    public long MissingBytes
    {
        get
        {
            var parts = Ranges().SelectMany(spool.Missing).ToList();
            return parts.Sum(part => part.Length) + (parts.Count * RequestBytes);
        }
    }

    /// <summary>Its tar, once all ranges are there.</summary>
    public RebuiltTar Open() => new(layer.Digest!, Parts());

    /// <summary>From now on all headers are fetched; whether that is anything new.</summary>
    public bool FetchHeaders() => IsForeseen && !(IsForeseen = false);

    public void Dispose() => spool.Dispose();

    private IEnumerable<Stream> Parts()
    {
        var trees = new Dictionary<string, ReadOnlyTree?>();
        using ITarHeaders headers = chunked.Headers is { } split
            ? new SplitHeaders(new SpooledRange(spool, split))
            : IsForeseen ? new ForeseenHeaders(contents, spool, chunked) : new FetchedHeaders(contents, spool, chunked.TarEnd);
        try
        {
            for (var i = 0; i < contents.Pieces.Count; i++)
            {
                if (contents.HasGap(i))
                {
                    yield return headers.Open(i);
                }

                yield return ContentOf(contents.Pieces[i], trees);
            }

            yield return headers.Open(contents.Pieces.Count);
        }
        finally
        {
            foreach (var tree in trees.Values)
            {
                tree?.Dispose();
            }
        }
    }

    private Stream ContentOf(ContentPiece piece, Dictionary<string, ReadOnlyTree?> trees)
    {
        if (piece.IsZeros)
        {
            return new ZeroPiece(piece.Length);
        }

        if (piece.Local is not { } local)
        {
            return new ProvenPiece(LayerCompression.Zstd(new SpooledRange(spool, new ByteRange(piece.Start, piece.End))), piece);
        }

        if (!trees.TryGetValue(local.Layer, out var tree))
        {
            trees[local.Layer] = tree = ReadOnlyTree.OpenOrNull(layers.PathOf(local.Layer));
        }

        return tree?.OpenFileOrNull(local.Path, out _) is { } file ? new LocalPiece(file, piece) : throw new InvalidDataException("A file of another layer is gone.");
    }
}
