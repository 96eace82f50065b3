using System.Text.Json;
using EdgeVirt.Node.Containers.Images.Layers;

namespace EdgeVirt.Node.Containers.Images;

/// <summary>A platform's manifest, read and found sound: of an image, or of an artifact, whose layers are files.</summary>
/// <param name="Config">The config's descriptor.</param>
/// <param name="Layers">Lowest first.</param>
internal sealed record ImageManifest(Descriptor Config, IReadOnlyList<Descriptor> Layers)
{
    /// <summary>Manifests, indexes and configs are read whole, so they are kept small.</summary>
    public const int MaxDocumentBytes = 4 << 20;

    public const int MaxLayers = 128;

    private const string OciIndex = "application/vnd.oci.image.index.v1+json";
    private const string OciManifest = "application/vnd.oci.image.manifest.v1+json";
    private const string DockerList = "application/vnd.docker.distribution.manifest.list.v2+json";
    private const string DockerManifest = "application/vnd.docker.distribution.manifest.v2+json";

    /// <summary>What a registry is asked for.</summary>
    public static readonly string[] Accepted = [OciIndex, OciManifest, DockerList, DockerManifest];

    private static readonly string[] ConfigTypes =
        ["application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"];

    private static readonly string[] LayerTypes =
    [
        "application/vnd.oci.image.layer.v1.tar", "application/vnd.oci.image.layer.nondistributable.v1.tar",
        "application/vnd.docker.image.rootfs.diff.tar", "application/vnd.docker.image.rootfs.foreign.diff.tar",
    ];

    private static readonly string[] LayerSuffixes = ["", "+gzip", "+zstd", ".gzip", ".zstd"];

    /// <summary>Whether its layers are files, each as it is.</summary>
    public bool IsArtifact => !ConfigTypes.Contains(Config.MediaType);

    /// <summary>What its layers are kept under, lowest first.</summary>
    /// <param name="configBytes">Of an image, also one for another platform.</param>
    public IReadOnlyList<string> ChainOf(ReadOnlySpan<byte> configBytes) =>
        IsArtifact ? [.. Layers.Select(ArtifactFile.IdOf)] : ChainId.Of(Parse(configBytes, ImageJson.Default.ConfigDocument, "config").Rootfs?.DiffIds?.OfType<string>().ToList() ?? []);

    /// <summary>Reads the outer document, which is an index or a manifest.</summary>
    public static ManifestDocument ReadDocument(ReadOnlySpan<byte> bytes)
    {
        var document = Parse(bytes, ImageJson.Default.ManifestDocument, "manifest");
        var isIndex = document.Manifests is not null;

        // One document that reads as both could be checked as one and used as the other (CVE-2021-41190).
        if (isIndex == (document.Layers is not null || document.Config is not null))
        {
            throw Invalid("the manifest must have either 'manifests' or 'config' and 'layers'");
        }

        if (document.SchemaVersion != 2)
        {
            throw new ImageRefusedException(ImageRefusedReason.UnsupportedMediaType,
                $"manifest schema version {document.SchemaVersion} is not supported; push the image with a current tool (version 2)");
        }

        if (document.MediaType is { } type && type is not (OciIndex or DockerList) == isIndex && Accepted.Contains(type))
        {
            throw Invalid($"the manifest says that it is {type}, but its fields say otherwise");
        }

        return document.MediaType is null || Accepted.Contains(document.MediaType)
            ? document
            : throw new ImageRefusedException(ImageRefusedReason.UnsupportedMediaType, $"manifest media type {document.MediaType} is not supported");
    }

    public static ImageManifest From(ManifestDocument document)
    {
        var config = Checked(document.Config, "config");
        var layers = document.Layers?.Select(layer => Checked(layer, "layer")).ToList() ?? throw Invalid("the manifest has no layers");
        if (config.Size > MaxDocumentBytes || layers.Count > MaxLayers)
        {
            throw new ImageRefusedException(ImageRefusedReason.TooLarge, $"the image has {layers.Count} layers (at most {MaxLayers}) and a config of {config.Size} bytes (at most {MaxDocumentBytes})");
        }

        var manifest = new ImageManifest(config, layers);
        if (manifest.IsArtifact)
        {
            ArtifactFile.Check(layers);
            return manifest;
        }

        var foreign = layers.Find(layer => !LayerTypes.Any(known => LayerSuffixes.Any(suffix => layer.MediaType == known + suffix)));
        return foreign is null
            ? manifest
            : throw new ImageRefusedException(ImageRefusedReason.UnsupportedMediaType, $"layer media type {foreign.MediaType} is not supported");
    }

    /// <summary>The entry of an index that fits this node best.</summary>
    public static Descriptor Choose(IReadOnlyList<Descriptor> manifests, ImagePlatform platform)
    {
        foreach (var variant in platform.Variants)
        {
            if (manifests.FirstOrDefault(entry => entry?.Platform is { Os: ImagePlatform.OperatingSystem } offered
                && offered.Architecture == platform.Architecture && (offered.Variant ?? "") == variant) is { } found)
            {
                return Checked(found, "manifest");
            }
        }

        // Layouts written by small tools name no platform: the config will tell.
        if (manifests is [{ Platform: null } only])
        {
            return Checked(only, "manifest");
        }

        var offers = string.Join(", ", manifests.OfType<Descriptor>().Take(20).Select(entry => $"{entry.Platform?.Os}/{entry.Platform?.Architecture}{(entry.Platform?.Variant is { } v ? "/" + v : "")}"));
        throw new ImageRefusedException(ImageRefusedReason.WrongPlatform,
            $"the image is not made for {ImagePlatform.OperatingSystem}/{platform.Architecture}; it offers: {offers}");
    }

    /// <summary>Reads a config and checks it against its manifest and this node.</summary>
    public ConfigDocument ReadConfig(ReadOnlySpan<byte> bytes, ImagePlatform platform)
    {
        var config = Parse(bytes, ImageJson.Default.ConfigDocument, "config");
        if ((config.Os ?? ImagePlatform.OperatingSystem) != ImagePlatform.OperatingSystem || (config.Architecture ?? platform.Architecture) != platform.Architecture)
        {
            throw new ImageRefusedException(ImageRefusedReason.WrongPlatform,
                $"the image is for {config.Os}/{config.Architecture}, this node is {ImagePlatform.OperatingSystem}/{platform.Architecture}");
        }

        var ids = config.Rootfs?.DiffIds ?? [];
        if (ids.Count != Layers.Count || !ids.All(Digest.IsDigest))
        {
            throw Invalid($"the config has {ids.Count} diff ids, the manifest {Layers.Count} layers; each needs one sha256 digest");
        }

        if (((IReadOnlyList<string>?[])[config.Config?.Entrypoint, config.Config?.Cmd, config.Config?.Env]).Any(words => words?.Contains(null!) == true))
        {
            throw Invalid("the config's Entrypoint, Cmd or Env has an entry that is null");
        }

        return config;
    }

    public static ImageConfig ToRunConfig(ConfigDocument config) => new()
    {
        Entrypoint = config.Config?.Entrypoint ?? [],
        Cmd = config.Config?.Cmd ?? [],
        Env = config.Config?.Env ?? [],
        WorkingDir = NullIfEmpty(config.Config?.WorkingDir),
        User = NullIfEmpty(config.Config?.User),
        StopSignal = NullIfEmpty(config.Config?.StopSignal),
    };

    public static ImageRefusedException Invalid(string what, Exception? inner = null) => new(ImageRefusedReason.InvalidManifest, $"Image refused: {what}.", inner);

    private static string? NullIfEmpty(string? text) => string.IsNullOrEmpty(text) ? null : text;

    private static Descriptor Checked(Descriptor? descriptor, string what) => descriptor is { Size: >= 0 } && Digest.IsDigest(descriptor.Digest)
        ? descriptor
        : throw Invalid($"the {what} descriptor has no sha256 digest or no size");

    private static T Parse<T>(ReadOnlySpan<byte> bytes, System.Text.Json.Serialization.Metadata.JsonTypeInfo<T> type, string what)
    {
        try
        {
            return JsonSerializer.Deserialize(bytes, type) ?? throw Invalid($"the {what} is null");
        }
        catch (JsonException problem)
        {
            throw Invalid($"the {what} is not the JSON it should be ({problem.Message})", problem);
        }
    }
}
