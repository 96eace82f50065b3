using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Serialization;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.Containers.Images.Registries;

namespace EdgeVirt.Node.Containers.Images.Archives;

/// <summary>
/// What <c>docker save</c> writes: <c>manifest.json</c> names configs, tags and layers. It has no manifest with digests, so one
/// is made of what is there: names that are digests must be those of their content, and the config's diff ids bind the layers.
/// </summary>
internal sealed class DockerArchiveSource : IImageSource
{
    private const string ManifestFile = "manifest.json";

    private readonly ILayoutFiles _files;
    private readonly Dictionary<string, byte[]> _documents = [];
    private readonly Dictionary<string, string> _layers = [];

    private DockerArchiveSource(ILayoutFiles files) => _files = files;

    public IReadOnlyList<ArchivedImage> Images { get; private set; } = [];

    /// <summary>Null: there is no <c>manifest.json</c>.</summary>
    public static async Task<DockerArchiveSource?> OpenAsync(ILayoutFiles files, CancellationToken ct)
    {
        if (await ReadAsync(files, ct) is not { } entries)
        {
            return null;
        }

        var source = new DockerArchiveSource(files);
        List<ArchivedImage> images = [];
        foreach (var entry in entries)
        {
            images.Add(new ArchivedImage(TagsOf(entry), await source.AddAsync(entry, ct)));
        }

        source.Images = images;
        return source;
    }

    /// <summary>The tags of an archive with one image; none otherwise.</summary>
    public static async Task<IReadOnlyList<ImageReference>> ReadTagsAsync(ILayoutFiles files, CancellationToken ct) =>
        await ReadAsync(files, ct) is [var only] ? TagsOf(only) : [];

    public Task<byte[]> FetchManifestAsync(string tagOrDigest, CancellationToken ct) => Task.FromResult(_documents[tagOrDigest]);

    public Task<byte[]> FetchConfigAsync(Descriptor descriptor, CancellationToken ct) => Task.FromResult(_documents[descriptor.Digest!]);

    public Task FetchLayerAsync(Descriptor descriptor, Action<long> progress, CancellationToken ct)
    {
        progress(descriptor.Size);
        return Task.CompletedTask;
    }

    public Stream OpenLayer(Descriptor descriptor) => Open(_layers[descriptor.Digest!]);

    public void DropLayer(Descriptor descriptor)
    {
        // The archive is not ours to change.
    }

    public void Dispose() => _files.Dispose();

    private async Task<string> AddAsync(DockerArchiveEntry entry, CancellationToken ct)
    {
        if (entry is not { Config: { } configName, Layers: { Count: <= ImageManifest.MaxLayers } layerNames })
        {
            throw ImageManifest.Invalid($"'{ManifestFile}' must give each image a config and at most {ImageManifest.MaxLayers} layers");
        }

        var config = await LayoutSource.ReadAllAsync(Open(configName), configName, ct);
        var configDigest = Verified(configName, Digest.Of(config));
        _documents[configDigest] = config;
        List<Descriptor> layers = [];
        foreach (var name in layerNames)
        {
            await using var layer = Open(name);
            var digest = Verified(name, Digest.FromHash(await SHA256.HashDataAsync(layer, ct)));
            _layers[digest] = name;
            layers.Add(new Descriptor { MediaType = "application/vnd.docker.image.rootfs.diff.tar", Digest = digest, Size = layer.Length });
        }

        var manifest = JsonSerializer.SerializeToUtf8Bytes(
            new ManifestDocument
            {
                SchemaVersion = 2,
                MediaType = "application/vnd.docker.distribution.manifest.v2+json",
                Config = new Descriptor { MediaType = "application/vnd.docker.container.image.v1+json", Digest = configDigest, Size = config.Length },
                Layers = layers,
            }, ImageJson.Default.ManifestDocument);
        var manifestDigest = Digest.Of(manifest);
        _documents[manifestDigest] = manifest;
        return manifestDigest;
    }

    private Stream Open(string name) => _files.Open(name) ?? throw ImageManifest.Invalid($"'{ManifestFile}' names '{name}', which is not in the archive");

    /// <summary>A file that is named like a digest must have it.</summary>
    private static string Verified(string name, string digest)
    {
        var stem = "sha256:" + Path.GetFileNameWithoutExtension(name);
        return !Digest.IsDigest(stem) || stem == digest
            ? digest
            : throw new ImageRefusedException(ImageRefusedReason.DigestMismatch, $"Image refused: '{name}' of the archive has the digest {digest}.");
    }

    private static List<ImageReference> TagsOf(DockerArchiveEntry entry) =>
        [.. (entry.RepoTags ?? []).Select(tag => ArchivedImage.Named(tag, isDocker: true)).OfType<ImageReference>()];

    private static async Task<IReadOnlyList<DockerArchiveEntry>?> ReadAsync(ILayoutFiles files, CancellationToken ct)
    {
        if (files.Open(ManifestFile) is not { } stream)
        {
            return null;
        }

        try
        {
            return JsonSerializer.Deserialize(await LayoutSource.ReadAllAsync(stream, ManifestFile, ct), DockerArchiveJson.Default.IReadOnlyListDockerArchiveEntry);
        }
        catch (JsonException problem)
        {
            throw ImageManifest.Invalid($"'{ManifestFile}' is not the JSON it should be ({problem.Message})", problem);
        }
    }
}

/// <summary>One image of <c>manifest.json</c>.</summary>
internal sealed record DockerArchiveEntry
{
    [JsonPropertyName("Config")] public string? Config { get; init; }
    [JsonPropertyName("RepoTags")] public IReadOnlyList<string>? RepoTags { get; init; }
    [JsonPropertyName("Layers")] public IReadOnlyList<string>? Layers { get; init; }
}

[JsonSerializable(typeof(IReadOnlyList<DockerArchiveEntry>))]
internal sealed partial class DockerArchiveJson : JsonSerializerContext;
