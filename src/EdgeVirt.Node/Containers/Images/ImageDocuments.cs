using System.Text.Json.Serialization;

namespace EdgeVirt.Node.Containers.Images;

/// <summary>Manifest or index of OCI and Docker, whichever fields it has.</summary>
internal sealed record ManifestDocument
{
    public int SchemaVersion { get; init; }
    public string? MediaType { get; init; }
    public Descriptor? Config { get; init; }
    public IReadOnlyList<Descriptor>? Layers { get; init; }
    public IReadOnlyList<Descriptor>? Manifests { get; init; }
}

/// <summary>Names content by digest and size.</summary>
internal sealed record Descriptor
{
    public string? MediaType { get; init; }
    public string? Digest { get; init; }
    public long Size { get; init; }
    public PlatformDocument? Platform { get; init; }
    public IReadOnlyDictionary<string, string>? Annotations { get; init; }
}

internal sealed record PlatformDocument
{
    public string? Architecture { get; init; }
    public string? Os { get; init; }
    public string? Variant { get; init; }
}

internal sealed record ConfigDocument
{
    public string? Architecture { get; init; }
    public string? Os { get; init; }
    public RunDocument? Config { get; init; }
    public RootDocument? Rootfs { get; init; }
}

internal sealed record RunDocument
{
    [JsonPropertyName("Entrypoint")] public IReadOnlyList<string>? Entrypoint { get; init; }
    [JsonPropertyName("Cmd")] public IReadOnlyList<string>? Cmd { get; init; }
    [JsonPropertyName("Env")] public IReadOnlyList<string>? Env { get; init; }
    [JsonPropertyName("WorkingDir")] public string? WorkingDir { get; init; }
    [JsonPropertyName("User")] public string? User { get; init; }
    [JsonPropertyName("StopSignal")] public string? StopSignal { get; init; }
}

internal sealed record RootDocument
{
    public string? Type { get; init; }

    [JsonPropertyName("diff_ids")]
    public IReadOnlyList<string>? DiffIds { get; init; }
}

/// <summary>Which manifest a reference stood for when it was last resolved.</summary>
internal sealed record ReferenceDocument
{
    public required string Reference { get; init; }
    public required string ManifestDigest { get; init; }

    /// <summary>What the pull cost that brought it; null: none did, it was here or came by hand.</summary>
    public PullCost? Cost { get; init; }

    /// <summary>Of the other fields: a digit that flash changed is still a digit. Null: written by an agent that knew no sum.</summary>
    public string? Sum { get; init; }
}

/// <summary>What a pull cost.</summary>
/// <param name="FetchedBytes">Of layers, that came over the link; tables of contents and repeats included.</param>
/// <param name="LayerBytes">Of all the image's layers as the registry has them.</param>
internal sealed record PullCost(long FetchedBytes, long LayerBytes);

/// <summary>Lies beside a layer's directory and says that it is whole.</summary>
internal sealed record LayerMarker
{
    public required string ChainId { get; init; }
    public required long Bytes { get; init; }
    public required int Entries { get; init; }
}

internal sealed record TokenDocument
{
    public string? Token { get; init; }

    [JsonPropertyName("access_token")]
    public string? AccessToken { get; init; }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(ManifestDocument))]
[JsonSerializable(typeof(ConfigDocument))]
[JsonSerializable(typeof(ReferenceDocument))]
[JsonSerializable(typeof(LayerMarker))]
[JsonSerializable(typeof(TokenDocument))]
internal sealed partial class ImageJson : JsonSerializerContext;
