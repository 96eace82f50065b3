using EdgeVirt.Node.Containers.Images.Layers;
using EdgeVirt.Node.Containers.Images.Registries;
using ZstdSharp;

namespace EdgeVirt.Node.Containers.Images.Deltas;

/// <summary>Finds out what of a layer is on this node.</summary>
internal sealed class DeltaPlanner(BlobStore blobs, LayerStore layers, UnpackLimits limits)
{
    private int _weightLeft = ContentsCheck.MaxWeight;

    /// <summary>What of a whole layer is not here, bytes.</summary>
    public long RestOf(Descriptor layer) => Math.Max(0, layer.Size - blobs.BytesOf(layer.Digest!));

    /// <summary>Removes ranges that were fetched.</summary>
    public void Drop(Descriptor layer) => File.Delete(blobs.RangesPathOf(layer.Digest!));

    /// <summary>Fetches a layer's table of contents, unless it is here from an earlier attempt, and looks for what it names.</summary>
    /// <exception cref="NoDeltaException">The layer is to be fetched whole.</exception>
    public async Task<DeltaLayer> PlanAsync(IRangedSource source, Descriptor layer, CancellationToken ct)
    {
        var chunked = ChunkedLayer.From(layer);
        if (layers.All().Count == 0)
        {
            throw new NoDeltaException("no other layer is on this node");
        }

        var spool = new RangeSpool(blobs.RangesPathOf(layer.Digest!));
        try
        {
            await source.FetchRangesAsync(layer, [chunked.Contents], spool, _ => { }, ct);
            var contents = ReadContents(chunked, spool);
            await Task.Run(() => new LocalContent(layers).Find(contents, ct), ct);
            var delta = new DeltaLayer(layer, chunked, contents, spool, layers);
            return !delta.HasLocal ? throw new NoDeltaException("nothing of it is on this node")
                : delta.MissingBytes >= RestOf(layer) ? throw new NoDeltaException($"its missing parts would take {delta.MissingBytes} bytes")
                : delta;
        }
        catch (NoDeltaException)
        {
            spool.Dispose();
            Drop(layer);
            throw;
        }
        catch
        {
            spool.Dispose();
            throw;
        }
    }

    private TableOfContents ReadContents(ChunkedLayer chunked, RangeSpool spool)
    {
        if (DigestOf(spool, chunked.Contents) != chunked.ContentsDigest)
        {
            throw new NoDeltaException("its table of contents does not have the digest that the annotation says");
        }

        try
        {
            using var json = LayerCompression.Zstd(new SpooledRange(spool, chunked.Contents));
            using var counted = new HashingStream(json, count =>
            {
                if (count > chunked.ContentsBytes)
                {
                    throw new NoDeltaException("its table of contents is larger than the annotation says");
                }
            }, isHashing: false);
            var check = new ContentsCheck(chunked.TarEnd, limits.MaxUnpackedBytes, _weightLeft);
            var contents = check.Run(new ContentsReader(counted));
            _weightLeft -= check.Weight;
            return contents;
        }
        catch (Exception damaged) when (damaged is ZstdException or InvalidDataException or EndOfStreamException)
        {
            throw new NoDeltaException($"its table of contents is damaged ({damaged.Message})");
        }
    }

    private static string DigestOf(RangeSpool spool, ByteRange range)
    {
        using var bytes = new HashingStream(new SpooledRange(spool, range));
        bytes.Drain();
        return bytes.Digest;
    }
}
