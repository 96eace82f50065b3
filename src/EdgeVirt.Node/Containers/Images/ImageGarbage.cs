using EdgeVirt.Node.Containers.Images.Layers;

namespace EdgeVirt.Node.Containers.Images;

/// <summary>Marks what live images need and sweeps the rest.</summary>
internal sealed class ImageGarbage(BlobStore blobs, ReferenceStore references, LayerStore layers)
{
    /// <returns>Bytes given back, by the sizes that were unpacked and stored.</returns>
    public long Collect(IReadOnlySet<string> manifestsInUse, IReadOnlySet<string> pinnedLayers, DateTimeOffset unusedSince, CancellationToken ct)
    {
        HashSet<string> manifests = [.. manifestsInUse];
        List<string> oldReferences = [];
        foreach (var (path, _, digest, used) in references.All())
        {
            if (digest is not null && (used > unusedSince || manifestsInUse.Contains(digest)))
            {
                manifests.Add(digest);
            }
            else
            {
                oldReferences.Add(path);
            }
        }

        HashSet<string> keptBlobs = [.. manifests];
        HashSet<string> keptLayers = [.. pinnedLayers];
        foreach (var digest in manifests)
        {
            if (!Mark(digest, keptBlobs, keptLayers))
            {
                // An image in use whose manifest is damaged: its layers are not known, so none is swept now.
                if (manifestsInUse.Contains(digest))
                {
                    return 0;
                }
            }
        }

        foreach (var path in oldReferences)
        {
            File.Delete(path);
        }

        return Sweep(keptBlobs, keptLayers, isPulling: pinnedLayers.Count > 0, ct);
    }

    private bool Mark(string manifestDigest, HashSet<string> keptBlobs, HashSet<string> keptLayers)
    {
        if (blobs.Read(manifestDigest) is not { } bytes || ImageManifest.ReadDocument(bytes) is not { Manifests: null } document)
        {
            return false;
        }

        var manifest = ImageManifest.From(document);
        keptBlobs.Add(manifest.Config.Digest!);
        keptBlobs.UnionWith(manifest.Layers.Select(layer => layer.Digest!));
        if (blobs.Read(manifest.Config.Digest!) is not { } configBytes)
        {
            return false;
        }

        keptLayers.UnionWith(ChainId.Of(ImageManifest.ReadDiffIds(configBytes)));
        return true;
    }

    private long Sweep(HashSet<string> keptBlobs, HashSet<string> keptLayers, bool isPulling, CancellationToken ct)
    {
        long freed = 0;
        foreach (var chainId in layers.All().Where(id => !keptLayers.Contains(id)))
        {
            ct.ThrowIfCancellationRequested();
            freed += layers.Find(chainId)?.Bytes ?? 0;
            layers.Remove(chainId);
        }

        // Blobs of a pull under way are not named anywhere yet.
        foreach (var path in isPulling ? [] : blobs.Unused(keptBlobs))
        {
            freed += new FileInfo(path).Length;
            File.Delete(path);
        }

        return freed;
    }
}
