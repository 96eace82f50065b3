using System.Text.Json;
using System.Text.Json.Serialization;
using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Contracts.Manifests;

/// <summary>The shape around a spec. A status may stand in a manifest (as in what <c>get</c> prints) and is passed over.</summary>
internal sealed record ManifestEnvelope
{
    public required string ApiVersion { get; init; }

    public required string Kind { get; init; }

    public required Metadata Metadata { get; init; }

    [JsonConverter(typeof(ReadElsewhere))]
    public object? Spec { get; init; }

    [JsonConverter(typeof(ReadElsewhere))]
    public object? Status { get; init; }
}

/// <summary>Marks a field whose content <see cref="ManifestSchema"/> leaves to others.</summary>
internal sealed class ReadElsewhere : JsonConverter<object?>
{
    public override object? Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        reader.Skip();
        return null;
    }

    public override void Write(Utf8JsonWriter writer, object? value, JsonSerializerOptions options) => writer.WriteNullValue();
}

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, UseStringEnumConverter = true)]
[JsonSerializable(typeof(ManifestEnvelope))]
internal sealed partial class ManifestJson : JsonSerializerContext;
