namespace EdgeVirt.Node.Containers.Images.Registries;

/// <summary>What all downloads of a node share.</summary>
/// <param name="Blobs">Where they go.</param>
/// <param name="CheckDisk">Objects to more bytes than there is room for.</param>
/// <param name="Rate">Bounds them together.</param>
/// <param name="IdleTimeout">A connection that gives no byte for so long is cut.</param>
/// <param name="Time">For timeouts.</param>
internal sealed record DownloadTools(BlobStore Blobs, Action<long> CheckDisk, ByteRate Rate, TimeSpan IdleTimeout, TimeProvider Time);
