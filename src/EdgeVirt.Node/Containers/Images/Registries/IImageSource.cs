using EdgeVirt.Node.Containers.Images.Deltas;

namespace EdgeVirt.Node.Containers.Images.Registries;

/// <summary>Where an image comes from: a registry or an OCI layout on disk. Lives for one pull.</summary>
internal interface IImageSource : IDisposable
{
    /// <summary>An index or manifest by tag or digest; checked against the digest where one is asked for.</summary>
    Task<byte[]> FetchManifestAsync(string tagOrDigest, CancellationToken ct);

    /// <summary>A config, checked against its descriptor; at most <see cref="ImageManifest.MaxDocumentBytes"/>.</summary>
    Task<byte[]> FetchConfigAsync(Descriptor descriptor, CancellationToken ct);

    /// <summary>Brings a layer's compressed bytes here. <paramref name="progress"/> hears the bytes there so far. Layers may be fetched side by side.</summary>
    Task FetchLayerAsync(Descriptor descriptor, Action<long> progress, CancellationToken ct);

    /// <summary>The compressed bytes of a layer that was fetched, seekable; the reader checks the digest.</summary>
    Stream OpenLayer(Descriptor descriptor);

    /// <summary>The layer is unpacked, or was refused or damaged: what was stored of it can go.</summary>
    void DropLayer(Descriptor descriptor);
}

/// <summary>A source that gives parts of a layer for less than all of it.</summary>
internal interface IRangedSource : IImageSource
{
    /// <summary>Brings ranges of a layer's compressed bytes here. <paramref name="progress"/> hears how many bytes came. Nothing is proven by this.</summary>
    /// <exception cref="NoDeltaException">The registry gives layers whole only.</exception>
    Task FetchRangesAsync(Descriptor descriptor, IReadOnlyList<ByteRange> ranges, RangeSpool spool, Action<int> progress, CancellationToken ct);
}
