namespace EdgeVirt.Node.Containers.Images.Registries;

/// <summary>Where an image comes from: a registry or an OCI layout on disk. Lives for one pull.</summary>
internal interface IImageSource : IDisposable
{
    /// <summary>An index or manifest by tag or digest; checked against the digest where one is asked for.</summary>
    Task<byte[]> FetchManifestAsync(string tagOrDigest, CancellationToken ct);

    /// <summary>A config, checked against its descriptor; at most <see cref="ImageManifest.MaxDocumentBytes"/>.</summary>
    Task<byte[]> FetchConfigAsync(Descriptor descriptor, CancellationToken ct);

    /// <summary>A layer's compressed bytes; the reader checks the digest. <paramref name="progress"/> hears the bytes there so far.</summary>
    Task<FileStream> OpenLayerAsync(Descriptor descriptor, Action<long> progress, CancellationToken ct);

    /// <summary>The layer is unpacked, or was refused or damaged: what was stored of it can go.</summary>
    void DropLayer(Descriptor descriptor);
}
