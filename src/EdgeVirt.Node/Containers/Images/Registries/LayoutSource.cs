using System.Text.Json;
using EdgeVirt.Node.Containers.Images.Archives;

namespace EdgeVirt.Node.Containers.Images.Registries;

/// <summary>An OCI image layout (image-layout.md of the OCI image specification), a directory or a tar. Layers are read where they lie.</summary>
internal sealed class LayoutSource(ILayoutFiles files) : IImageSource
{
    private const string NameAnnotation = "org.opencontainers.image.ref.name";
    private const string IndexFile = "index.json";

    /// <summary>The entries of the layout's index; null where there is no <c>index.json</c>.</summary>
    public static async Task<IReadOnlyList<Descriptor>?> ReadIndexAsync(ILayoutFiles files, CancellationToken ct) => files.Open(IndexFile) is not { } stream
        ? null
        : ImageManifest.ReadDocument(await ReadAllAsync(stream, IndexFile, ct)).Manifests ?? throw ImageManifest.Invalid("the layout's index.json lists no manifests");

    /// <summary>Reads a small file whole, and closes it.</summary>
    public static async Task<byte[]> ReadAllAsync(Stream file, string name, CancellationToken ct)
    {
        await using (file)
        {
            if (file.Length > ImageManifest.MaxDocumentBytes)
            {
                throw new ImageRefusedException(ImageRefusedReason.TooLarge, $"{name} is larger than a manifest may be ({ImageManifest.MaxDocumentBytes} bytes).");
            }

            var bytes = new byte[file.Length];
            await file.ReadExactlyAsync(bytes, ct);
            return bytes;
        }
    }

    public async Task<byte[]> FetchManifestAsync(string tagOrDigest, CancellationToken ct)
    {
        if (Digest.IsDigest(tagOrDigest))
        {
            return await ReadBlobAsync(tagOrDigest, ct);
        }

        var manifests = await ReadIndexAsync(files, ct) ?? throw Missing(IndexFile);
        var found = manifests.Where(entry => entry.Annotations?.GetValueOrDefault(NameAnnotation) == tagOrDigest).ToList();
        return found switch
        {
            [var only] => Sized(await ReadBlobAsync(only.Digest ?? "", ct), only),
            [] => throw new ImagePullException(
                $"The layout {files.Name} has no image tagged '{tagOrDigest}'; it has: {string.Join(", ", manifests.Take(20).Select(entry => entry.Annotations?.GetValueOrDefault(NameAnnotation) ?? "(untagged)"))}."),
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
        var file = OpenBlob(descriptor.Digest!);
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

    public void Dispose() => files.Dispose();

    private async Task<byte[]> ReadBlobAsync(string digest, CancellationToken ct)
    {
        var bytes = await ReadAllAsync(OpenBlob(digest), digest, ct);
        return Digest.Of(bytes) == digest
            ? bytes
            : throw new ImageRefusedException(ImageRefusedReason.DigestMismatch, $"Blob {digest} of the layout {files.Name} has another digest.");
    }

    private Stream OpenBlob(string digest)
    {
        var name = $"blobs/sha256/{Digest.Hex(digest)}";
        return files.Open(name) ?? throw Missing(name);
    }

    private ImagePullException Missing(string name) => new($"{Path.Combine(files.Name, name)} is missing; copy the whole OCI layout to the node.");

    private static byte[] Sized(byte[] bytes, Descriptor descriptor) => bytes.Length == descriptor.Size
        ? bytes
        : throw new ImageRefusedException(ImageRefusedReason.SizeMismatch, $"Blob {descriptor.Digest} has {bytes.Length} bytes, its descriptor says {descriptor.Size}.");
}
