using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.Containers.Images.Deltas;
using EdgeVirt.Node.Containers.Images.Layers;
using EdgeVirt.Node.Containers.Images.Registries;
using Microsoft.Extensions.Logging;

namespace EdgeVirt.Node.Containers.Images;

/// <summary>
/// One pull: manifest, config, then the layers: a few are fetched side by side, and each in its turn unpacked and its compressed
/// bytes dropped, so that the disk holds no more than those few. A refused image leaves nothing behind that it brought.
/// </summary>
internal sealed partial class ImagePull(
    ImageStoreOptions options, IImageSource source, BlobStore blobs, LayerStore layers, TimeProvider time, ILogger logger)
{
    private static readonly TimeSpan s_progressEvery = TimeSpan.FromSeconds(5);

    private readonly DeltaSource? _deltas = source as DeltaSource;
    private readonly List<string> _newBlobs = [];
    private readonly List<string> _newLayers = [];
    private long _reported = time.GetTimestamp();

    /// <summary>Which manifest the reference stands for on this platform.</summary>
    public Task<(string Digest, byte[] Bytes)> ResolveAsync(ImageReference reference, CancellationToken ct) => ResolveAsync(reference.Digest ?? reference.Tag!, ct);

    /// <inheritdoc cref="ResolveAsync(ImageReference, CancellationToken)"/>
    public async Task<(string Digest, byte[] Bytes)> ResolveAsync(string tagOrDigest, CancellationToken ct)
    {
        var bytes = await source.FetchManifestAsync(tagOrDigest, ct);
        for (var depth = 0; depth < 4; depth++)
        {
            var document = ImageManifest.ReadDocument(bytes);
            if (document.Manifests is null)
            {
                return (Digest.Of(bytes), bytes);
            }

            var chosen = ImageManifest.Choose(document.Manifests, options.Platform);
            bytes = await source.FetchManifestAsync(chosen.Digest!, ct);
            if (bytes.Length != chosen.Size)
            {
                throw new ImageRefusedException(ImageRefusedReason.SizeMismatch, $"Manifest {chosen.Digest} has {bytes.Length} bytes, its index says {chosen.Size}.");
            }
        }

        throw ImageManifest.Invalid("its index nests too deep");
    }

    /// <summary>Brings all that a manifest names onto the disk.</summary>
    /// <param name="reference">For the log.</param>
    /// <param name="digest">Of <paramref name="manifestBytes"/>.</param>
    /// <param name="manifestBytes">The platform's manifest.</param>
    /// <param name="pin">Told the layers' chain ids before they are looked for, so that garbage collection leaves them; and those that others are put together from.</param>
    /// <param name="begin">Told how many bytes of layers are missing, before the first of them (and 0, before it is known); may object.</param>
    /// <param name="ct">Gives up; what is complete stays, and the next pull goes on from there.</param>
    /// <exception cref="ImageRefusedException">The image is at fault; nothing stays of it.</exception>
    /// <exception cref="ImagePullException">Its source or the node is; what is complete stays.</exception>
    public async Task RunAsync(ImageReference reference, string digest, byte[] manifestBytes, Action<IReadOnlyList<string>> pin, Action<long> begin, CancellationToken ct)
    {
        try
        {
            var manifest = ImageManifest.From(ImageManifest.ReadDocument(manifestBytes));
            var configBytes = await ConfigAsync(manifest.Config, ct);
            var diffIds = manifest.IsArtifact ? [] : manifest.ReadConfig(configBytes, options.Platform).Rootfs?.DiffIds ?? [];
            var chain = manifest.ChainOf(configBytes);
            List<string> below = [];
            pin(chain);
            long unpacked = 0;
            var missing = manifest.Layers.Where((_, index) => layers.Find(chain[index]) is null).ToList();
            long RestOf(Descriptor layer) => Math.Max(0, layer.Size - blobs.BytesOf(layer.Digest!));
            if (_deltas is not null)
            {
                begin(0);
                pin([.. chain, .. layers.All()]);
                await _deltas.PlanAsync(missing, ct);
                pin([.. chain, .. _deltas.Sources]);
            }

            begin(missing.DistinctBy(layer => layer.Digest).Sum(layer => _deltas?.MissingBytes(layer) ?? RestOf(layer)));

            // All compressed layers together are less than what they unpack to: what they do not fit into is too small for the image.
            layers.CheckDisk(missing.DistinctBy(layer => layer.Digest).Sum(RestOf));
            await using var queue = new LayerQueue(source, missing, options.MaxConcurrentDownloads, (there, size) => Report(reference, there, size), ct);
            for (var i = 0; i < manifest.Layers.Count; i++)
            {
                var marker = layers.Find(chain[i]) ?? await LayerAsync(queue, manifest.Layers[i], PlaceOf(manifest, i, diffIds, chain[i], below), options.Limits.MaxUnpackedBytes - unpacked, ct);
                unpacked += marker.Bytes;
                below.Add(layers.PathOf(chain[i]));
            }

            Keep(manifest.Config.Digest!, configBytes);
            Keep(digest, manifestBytes);
        }
        catch (ImageRefusedException)
        {
            GiveBack();
            throw;
        }
        catch (Exception failed) when (NodeFault.Of(failed) is { } fault)
        {
            // What is complete stays: it is not the image's fault.
            throw fault;
        }
    }

    private static LayerPlace PlaceOf(ImageManifest manifest, int number, IReadOnlyList<string> diffIds, string chainId, List<string> below) => manifest.IsArtifact
        ? new LayerPlace("", chainId, []) { FileName = ArtifactFile.NameOf(manifest.Layers[number]) }
        : new LayerPlace(diffIds[number], chainId, [.. below]);

    private async Task<byte[]> ConfigAsync(Descriptor descriptor, CancellationToken ct) =>
        blobs.Read(descriptor.Digest!) ?? await source.FetchConfigAsync(descriptor, ct);

    private async Task<LayerMarker> LayerAsync(LayerQueue queue, Descriptor layer, LayerPlace place, long bytesLeft, CancellationToken ct)
    {
        for (var isLastTry = false; ;)
        {
            try
            {
                await using var blob = await queue.OpenAsync(layer);
                var marker = await Task.Run(() => layers.Unpack(blob, layer, place, bytesLeft, ct), ct);
                _newLayers.Add(place.ChainId);
                queue.Done(layer);
                return marker;
            }
            catch (DamagedBlobException other) when (_deltas is not null && other.IsRebuilt)
            {
                isLastTry = false;
                _deltas.Distrust(layer, other.InnerException?.Message ?? other.Message);
                await queue.AgainAsync(layer);
            }
            catch (DamagedBlobException damaged)
            {
                source.DropLayer(layer);
                blobs.Remove(layer.Digest!);
                if (isLastTry)
                {
                    throw new ImageRefusedException(ImageRefusedReason.DigestMismatch, $"Layer {layer.Digest} has another digest at its source.", damaged);
                }

                isLastTry = true;
                await queue.AgainAsync(layer);
            }
            catch (ImageRefusedException)
            {
                blobs.Remove(layer.Digest!);
                throw;
            }
        }
    }

    private void Keep(string digest, byte[] bytes)
    {
        if (!blobs.Has(digest))
        {
            blobs.Write(digest, bytes);
            _newBlobs.Add(digest);
        }
    }

    /// <summary>Removes what this pull brought.</summary>
    public void GiveBack()
    {
        foreach (var chainId in _newLayers)
        {
            layers.Remove(chainId);
        }

        foreach (var digest in _newBlobs)
        {
            blobs.Remove(digest);
        }
    }

    private void Report(ImageReference reference, long there, long size)
    {
        var last = Interlocked.Read(ref _reported);
        if (time.GetElapsedTime(last) >= s_progressEvery && Interlocked.CompareExchange(ref _reported, time.GetTimestamp(), last) == last)
        {
            LogProgress(logger, reference, there / 1e6, size / 1e6);
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Pulling {Image}: {There:F1} of {Size:F1} MB")]
    private static partial void LogProgress(ILogger logger, ImageReference image, double there, double size);
}
