using System.Text.Json;

namespace EdgeVirt.Node.Containers.Images.Registries;

/// <summary>An OCI image layout directory (image-layout.md of the OCI image specification). Layers are read where they lie.</summary>
internal sealed class LayoutSource(string directory) : IImageSource
{
    private const string NameAnnotation = "org.opencontainers.image.ref.name";

    public async Task<byte[]> FetchManifestAsync(string tagOrDigest, CancellationToken ct)
    {
        if (Digest.IsDigest(tagOrDigest))
        {
            return await ReadBlobAsync(tagOrDigest, ct);
        }

        var index = await ReadFileAsync(Path.Combine(directory, "index.json"), ct);
        var manifests = ReadIndex(index);
        var found = manifests.Where(entry => entry.Annotations?.GetValueOrDefault(NameAnnotation) == tagOrDigest).ToList();
        return found switch
        {
            [var only] => Sized(await ReadBlobAsync(only.Digest ?? "", ct), only),
            [] => throw new ImagePullException(
                $"The layout {directory} has no image tagged '{tagOrDigest}'; it has: {string.Join(", ", manifests.Take(20).Select(entry => entry.Annotations?.GetValueOrDefault(NameAnnotation) ?? "(untagged)"))}."),
            _ => JsonSerializer.SerializeToUtf8Bytes(new ManifestDocument { SchemaVersion = 2, Manifests = found }, ImageJson.Default.ManifestDocument),
        };
    }

    public async Task<byte[]> FetchConfigAsync(Descriptor descriptor, CancellationToken ct) =>
        Sized(await ReadBlobAsync(descriptor.Digest!, ct), descriptor);

    public Task FetchLayerAsync(Descriptor descriptor, Action<long> progress, CancellationToken ct)
    {
        progress(descriptor.Size);
        return Task.CompletedTask;
    }

    public Stream OpenLayer(Descriptor descriptor)
    {
        var file = Open(BlobPath(descriptor.Digest!));
        if (file.Length != descriptor.Size)
        {
            var length = file.Length;
            file.Dispose();
            throw new ImageRefusedException(ImageRefusedReason.SizeMismatch, $"Blob {descriptor.Digest} has {length} bytes, its manifest says {descriptor.Size}.");
        }

        return file;
    }

    public void DropLayer(Descriptor descriptor)
    {
        // The layout is not ours to change.
    }

    public void Dispose()
    {
    }

    private static IReadOnlyList<Descriptor> ReadIndex(byte[] bytes) =>
        ImageManifest.ReadDocument(bytes).Manifests ?? throw ImageManifest.Invalid("the layout's index.json lists no manifests");

    private string BlobPath(string digest) => Path.Combine(directory, "blobs", "sha256", Digest.Hex(digest));

    private async Task<byte[]> ReadBlobAsync(string digest, CancellationToken ct)
    {
        var bytes = await ReadFileAsync(BlobPath(digest), ct);
        return Digest.Of(bytes) == digest
            ? bytes
            : throw new ImageRefusedException(ImageRefusedReason.DigestMismatch, $"Blob {digest} of the layout {directory} has another digest.");
    }

    private static byte[] Sized(byte[] bytes, Descriptor descriptor) => bytes.Length == descriptor.Size
        ? bytes
        : throw new ImageRefusedException(ImageRefusedReason.SizeMismatch, $"Blob {descriptor.Digest} has {bytes.Length} bytes, its descriptor says {descriptor.Size}.");

    private static async Task<byte[]> ReadFileAsync(string path, CancellationToken ct)
    {
        await using var file = Open(path);
        if (file.Length > ImageManifest.MaxDocumentBytes)
        {
            throw new ImageRefusedException(ImageRefusedReason.TooLarge, $"{path} is larger than a manifest may be ({ImageManifest.MaxDocumentBytes} bytes).");
        }

        var bytes = new byte[file.Length];
        await file.ReadExactlyAsync(bytes, ct);
        return bytes;
    }

    private static FileStream Open(string path)
    {
        try
        {
            return new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 64 << 10);
        }
        catch (Exception absent) when (absent is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new ImagePullException($"{path} is missing; copy the whole OCI layout to the node.", absent);
        }
    }
}
