using EdgeVirt.Node.Containers.Images.Layers;

namespace EdgeVirt.Node.Containers.Images;

/// <summary>Marks what must or may stay and sweeps the rest.</summary>
internal sealed class ImageGarbage(BlobStore blobs, ReferenceStore references, LayerStore layers, ImageGarbagePolicy policy, Func<DiskSpace> measureDisk)
{
    /// <summary>What a file system takes for an entry beside its content, at most; so that an estimate of what can be had is not too small.</summary>
    private const long EntryBytes = 4096;

    /// <returns>Bytes given back, by the sizes that were unpacked and stored.</returns>
    public long Collect(ImagesInUse inUse, IReadOnlySet<string> pinnedLayers, DateTimeOffset now, CancellationToken ct)
    {
        if (Look(inUse, now) is not var (needed, images, unused))
        {
            return 0;
        }

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

    /// <summary>Removes the oldest unused until so many bytes can be written; nothing where all of them together do not give as many.</summary>
    /// <returns>Bytes given back; 0: there is nothing to be had, or it would not be enough.</returns>
    public long MakeRoom(ImagesInUse inUse, IReadOnlySet<string> pinnedLayers, DateTimeOffset now, long availableBytes, CancellationToken ct)
    {
        var missing = availableBytes - measureDisk().AvailableBytes;
        if (missing <= 0 || Look(inUse, now) is not var (needed, images, unused) || Reclaimable(needed, [.. images.Except(unused)], pinnedLayers) < missing)
        {
            return 0;
        }

        // First what belongs to no image at all: pulls that were given up.
        var freed = Sweep(needed, images, [], pinnedLayers, ct);
        while (measureDisk().AvailableBytes < availableBytes && unused.TryDequeue(out var next))
        {
            images.Remove(next);
            freed += Sweep(needed, images, [next], pinnedLayers, ct);
        }

        return freed;
    }

    /// <summary>Digests of what must stay, all images, and those that may go, oldest first; null: it is not known what must stay.</summary>
    private (HashSet<string> Needed, List<Image> All, Queue<Image> Unused)? Look(ImagesInUse inUse, DateTimeOffset now)
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
        return needed.Any(digest => !Mark(digest, [], []))
            ? null
            : (needed, images, new Queue<Image>(images.Where(image => !image.IsInUse && image.LastUsed <= now - policy.MinAge).OrderBy(image => image.LastUsed)));
    }

    /// <summary>Bytes of the layers that only images have which may go.</summary>
    private long Reclaimable(HashSet<string> needed, IReadOnlyList<Image> kept, IReadOnlySet<string> pinnedLayers)
    {
        var (_, keptLayers) = Kept(needed, kept, pinnedLayers);
        return layers.All().Where(id => !keptLayers.Contains(id)).Select(layers.Find).Sum(marker => marker is null ? 0 : marker.Bytes + (marker.Entries * EntryBytes));
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

        keptLayers.UnionWith(manifest.ChainOf(configBytes));
        return true;
    }

    private (HashSet<string> Blobs, HashSet<string> Layers) Kept(HashSet<string> needed, IReadOnlyList<Image> kept, IReadOnlySet<string> pinnedLayers)
    {
        HashSet<string> keptBlobs = [.. needed, .. kept.Select(image => image.Digest)];
        HashSet<string> keptLayers = [.. pinnedLayers];
        foreach (var digest in keptBlobs.ToList())
        {
            Mark(digest, keptBlobs, keptLayers);
        }

        return (keptBlobs, keptLayers);
    }

    private long Sweep(HashSet<string> needed, List<Image> kept, List<Image> going, IReadOnlySet<string> pinnedLayers, CancellationToken ct)
    {
        var (keptBlobs, keptLayers) = Kept(needed, kept, pinnedLayers);
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
