using System.Text.Json.Serialization;

namespace EdgeVirt.Node.Containers.Images.Deltas;

/// <summary>An entry of the table of contents, as it is written.</summary>
internal sealed record ContentsEntry
{
    public string? Type { get; init; }
    public string? Name { get; init; }
    public string? LinkName { get; init; }
    public long Mode { get; init; }
    public long Size { get; init; }
    public long Uid { get; init; }
    public long Gid { get; init; }
    public string? Modtime { get; init; }
    public string? Accesstime { get; init; }
    public string? Changetime { get; init; }
    public IReadOnlyDictionary<string, string>? Xattrs { get; init; }
    public string? Digest { get; init; }
    public long Offset { get; init; }
    public long EndOffset { get; init; }
    public long ChunkSize { get; init; }
    public long ChunkOffset { get; init; }
    public string? ChunkDigest { get; init; }
    public string? ChunkType { get; init; }
}

/// <summary>A line of tar-split data: raw bytes of the tar, or a file whose content comes here.</summary>
internal sealed record HeadersEntry
{
    public const int File = 1;
    public const int Raw = 2;

    public int Type { get; init; }
    public long Size { get; init; }
    public byte[]? Payload { get; init; }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(ContentsEntry))]
[JsonSerializable(typeof(HeadersEntry))]
internal sealed partial class DeltaJson : JsonSerializerContext;
