using EdgeVirt.Contracts.Api;
using EdgeVirt.Node.Containers.Images.Layers;

namespace EdgeVirt.Node.Containers.Images;

/// <summary>What images take on the disk, and what of it is theirs alone.</summary>
internal sealed class ImageAccounts(BlobStore blobs, ReferenceStore references, LayerStore layers)
{
    /// <param name="usedBy">Workload and digest of an image that it uses.</param>
    public LocalImageList Read(ILookup<string, string> usedBy)
    {
        var named = references.All().Where(file => file.ManifestDigest is not null).ToLookup(file => file.ManifestDigest!);
        var contents = named.Select(group => group.Key).Concat(usedBy.Select(group => group.Key)).Distinct()
            .Select(digest => (Digest: digest, Pieces: PiecesOf(digest))).Where(image => image.Pieces is not null).ToList();
        var users = contents.SelectMany(image => image.Pieces!.Keys).CountBy(piece => piece).ToDictionary();
        return new LocalImageList
        {
            Items =
            [
                .. contents.Select(image => new LocalImage
                {
                    References = [.. named[image.Digest].Select(file => file.Reference!).Order(StringComparer.Ordinal)],
                    Digest = image.Digest,
                    UniqueBytes = image.Pieces!.Where(piece => users[piece.Key] == 1).Sum(piece => piece.Value),
                    SharedBytes = image.Pieces!.Where(piece => users[piece.Key] > 1).Sum(piece => piece.Value),
                    FetchedBytes = named[image.Digest].Max(file => file.Cost?.FetchedBytes),
                    LayerBytes = named[image.Digest].Max(file => file.Cost?.LayerBytes),
                    LastUsedAt = named[image.Digest].Select(file => (DateTimeOffset?)file.Used).Max(),
                    UsedBy = [.. usedBy[image.Digest].Distinct().Order(StringComparer.Ordinal)],
                }).OrderBy(image => image.References.Count > 0 ? image.References[0] : image.Digest, StringComparer.Ordinal),
            ],
            TotalBytes = layers.All().Sum(id => layers.Find(id)?.Bytes ?? 0) + blobs.StoredBytes + blobs.PartialBytes,
            PartialBytes = blobs.PartialBytes,
        };
    }

    /// <summary>Layers by chain id, blobs by digest, each with its size; null where the image is damaged or not whole.</summary>
    private Dictionary<string, long>? PiecesOf(string manifestDigest)
    {
        if (blobs.Read(manifestDigest) is not { } bytes || ImageManifest.ReadDocument(bytes) is not { Manifests: null } document)
        {
            return null;
        }

        var manifest = ImageManifest.From(document);
        var config = manifest.Config.Digest!;
        if (blobs.Read(config) is not { } configBytes)
        {
            return null;
        }

        var pieces = new Dictionary<string, long> { ["blob " + manifestDigest] = bytes.Length, ["blob " + config] = configBytes.Length };
        foreach (var chainId in manifest.ChainOf(configBytes))
        {
            pieces[chainId] = layers.Find(chainId)?.Bytes ?? 0;
        }

        return pieces;
    }
}
