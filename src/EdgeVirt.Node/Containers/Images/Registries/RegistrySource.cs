using EdgeVirt.Node.Containers.Images.Deltas;
using Polly;

namespace EdgeVirt.Node.Containers.Images.Registries;

/// <summary>A repository of an OCI distribution registry; every request is repeated while that can help.</summary>
internal sealed class RegistrySource(
    RegistryClient client, BlobStore blobs, (LayerDownload Whole, RangeDownload Ranges) download, ResiliencePipeline retry, bool keepLayers) : IRangedSource
{
    public async Task<byte[]> FetchManifestAsync(string tagOrDigest, CancellationToken ct)
    {
        var bytes = await FetchAsync($"manifests/{tagOrDigest}", ImageManifest.Accepted, "manifest", ct);
        return !Digest.IsDigest(tagOrDigest) || Digest.Of(bytes) == tagOrDigest
            ? bytes
            : throw new ImageRefusedException(ImageRefusedReason.DigestMismatch, $"The registry gave another manifest for {tagOrDigest}.");
    }

    public async Task<byte[]> FetchConfigAsync(Descriptor descriptor, CancellationToken ct)
    {
        var bytes = await FetchAsync($"blobs/{descriptor.Digest}", [], "config", ct);
        return bytes.Length != descriptor.Size
            ? throw new ImageRefusedException(ImageRefusedReason.SizeMismatch, $"Config {descriptor.Digest} has {bytes.Length} bytes, its manifest says {descriptor.Size}.")
            : Digest.Of(bytes) == descriptor.Digest
                ? bytes
                : throw new ImageRefusedException(ImageRefusedReason.DigestMismatch, $"The registry gave another config for {descriptor.Digest}.");
    }

    public Task FetchLayerAsync(Descriptor descriptor, Action<long> progress, CancellationToken ct) => download.Whole.RunAsync(descriptor, progress, ct);

    public Task FetchRangesAsync(Descriptor descriptor, IReadOnlyList<ByteRange> ranges, RangeSpool spool, Action<int> progress, CancellationToken ct) =>
        download.Ranges.RunAsync(descriptor, ranges, spool, progress, ct);

    public Stream OpenLayer(Descriptor descriptor) =>
        new FileStream(blobs.PathOf(descriptor.Digest!), FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 64 << 10);

    public void DropLayer(Descriptor descriptor)
    {
        if (!keepLayers)
        {
            blobs.Remove(descriptor.Digest!);
        }
    }

    public void Dispose() => client.Dispose();

    private async Task<byte[]> FetchAsync(string path, IReadOnlyList<string> accept, string what, CancellationToken ct) =>
        await retry.ExecuteAsync(async token =>
        {
            using var response = await client.GetAsync(path, accept, 0, token);
            try
            {
                return await BoundedBody.ReadAsync(response.Content, ImageManifest.MaxDocumentBytes, what, token);
            }
            catch (Exception cut) when (RegistryClient.IsConnection(cut, token))
            {
                throw client.Unreachable(cut);
            }
        }, ct);
}
