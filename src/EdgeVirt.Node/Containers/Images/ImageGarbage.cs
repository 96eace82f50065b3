using EdgeVirt.Node.Containers.Images.Layers;

namespace EdgeVirt.Node.Containers.Images;

/// <summary>Marks what must or may stay and sweeps the rest.</summary>
internal sealed class ImageGarbage(BlobStore blobs, ReferenceStore references, LayerStore layers, ImageGarbagePolicy policy, Func<DiskSpace> measureDisk)
{
    /// <returns>Bytes given back, by the sizes that were unpacked and stored.</returns>
    public long Collect(ImagesInUse inUse, IReadOnlySet<string> pinnedLayers, DateTimeOffset now, CancellationToken ct)
    {
        var files = references.All();
        foreach (var damaged in files.Where(file => file.ManifestDigest is null))
        {
            File.Delete(damaged.Path);
        }

        var images = files.Where(file => file.ManifestDigest is not null).GroupBy(file => file.ManifestDigest!)
            .Select(group => new Image(group.Key, group.Max(file => file.Used), [.. group.Select(file => file.Path)])
            {
                IsInUse = inUse.Digests.Contains(group.Key) || group.Any(file => inUse.References.Contains(file.Reference!)),
            }).ToList();

        // An image in use whose manifest is damaged: its layers are not known, so none is swept now.
        HashSet<string> needed = [.. inUse.Digests, .. images.Where(image => image.IsInUse).Select(image => image.Digest)];
        if (needed.Any(digest => !Mark(digest, [], [])))
        {
            return 0;
        }

        var unused = new Queue<Image>(images.Where(image => !image.IsInUse && image.LastUsed <= now - policy.MinAge).OrderBy(image => image.LastUsed));
        List<Image> going = [];
        while (unused.TryPeek(out var oldest) && oldest.LastUsed <= now - policy.MaxUnusedAge)
        {
            going.Add(unused.Dequeue());
        }

        var kept = images.Except(going).ToList();
        var freed = Sweep(needed, kept, going, pinnedLayers, ct);
        if (policy.IsTooFull(measureDisk()))
        {
            while (unused.TryDequeue(out var next) && !policy.HasRoom(measureDisk()))
            {
                kept.Remove(next);
                freed += Sweep(needed, kept, [next], pinnedLayers, ct);
            }
        }

        return freed;
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

    private long Sweep(HashSet<string> needed, List<Image> kept, List<Image> going, IReadOnlySet<string> pinnedLayers, CancellationToken ct)
    {
        HashSet<string> keptBlobs = [.. needed, .. kept.Select(image => image.Digest)];
        HashSet<string> keptLayers = [.. pinnedLayers];
        foreach (var digest in keptBlobs.ToList())
        {
            Mark(digest, keptBlobs, keptLayers);
        }

        foreach (var path in going.SelectMany(image => image.Paths))
        {
            File.Delete(path);
        }

        long freed = 0;
        foreach (var chainId in layers.All().Where(id => !keptLayers.Contains(id)))
        {
            ct.ThrowIfCancellationRequested();
            freed += layers.Find(chainId)?.Bytes ?? 0;
            layers.Remove(chainId);
        }

        // Blobs of a pull under way are not named anywhere yet.
        foreach (var path in pinnedLayers.Count > 0 ? [] : blobs.Unused(keptBlobs))
        {
            freed += new FileInfo(path).Length;
            File.Delete(path);
        }

        return freed;
    }

    private sealed record Image(string Digest, DateTimeOffset LastUsed, IReadOnlyList<string> Paths)
    {
        public bool IsInUse { get; init; }
    }
}
