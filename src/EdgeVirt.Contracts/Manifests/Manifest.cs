using System.Buffers;
using System.Text.Json;
using EdgeVirt.Contracts.Api;
using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Contracts.Manifests;

/// <summary>Reads manifests: text of one or more YAML or JSON documents, each a resource.</summary>
public static class Manifest
{
    /// <summary>Largest text, in characters.</summary>
    public const int MaxLength = 4 << 20;

    /// <summary>
    /// Reads and checks a text. Without errors, the resources are complete and valid, in the order of the
    /// text; with any error, nothing of it is to be applied.
    /// </summary>
    public static ManifestResult Parse(string text)
    {
        var errors = new List<FieldError>();
        if (text.Length > MaxLength)
        {
            return new ManifestResult([], [new FieldError(0, "", $"is longer than {MaxLength} characters; split it")]);
        }

        var reading = new Validation();
        var documents = ManifestReader.Read(text, reading);
        errors.AddRange(reading.Errors);
        var resources = new List<Resource>();
        var names = new HashSet<(string, string)>();
        foreach (var document in documents)
        {
            var validation = new Validation();
            var resource = ReadResource(document, validation);
            if (resource is not null && !names.Add((resource.Kind, resource.Metadata.Name)))
            {
                validation.Add("metadata.name", $"{resource.Kind} '{resource.Metadata.Name}' is in the text twice; names must be unique within a kind");
            }

            errors.AddRange(validation.Errors);
            if (resource is not null)
            {
                resources.Add(resource);
            }
        }

        if (documents.Count == 0 && errors.Count == 0)
        {
            errors.Add(new FieldError(0, "", "holds no resource"));
        }

        return errors.Count == 0 ? new ManifestResult(resources, []) : new ManifestResult([], errors);
    }

    /// <summary>The spec of a resource in its record.</summary>
    /// <exception cref="JsonException">The spec does not have the kind's shape.</exception>
    public static TSpec SpecOf<TSpec>(this Resource resource)
        where TSpec : class
    {
        var kind = ResourceKind.ByName(resource.Kind) ?? throw new JsonException($"There is no kind '{resource.Kind}'.");
        return (TSpec?)resource.Spec.Deserialize(kind.SpecType) ?? throw new JsonException($"The spec of {resource.Kind}/{resource.Metadata.Name} is null.");
    }

    private static Resource? ReadResource(ManifestNode document, Validation v)
    {
        v.Place("", document.Line);
        if (document is not ManifestMapping mapping)
        {
            v.Add(document.Line, "", "must be a mapping with apiVersion, kind, metadata and spec");
            return null;
        }

        if (KindOf(mapping, v) is not { } kind)
        {
            return null;
        }

        var name = ((mapping.Find("metadata")?.Value as ManifestMapping)?.Find("name")?.Value as ManifestScalar)?.Text;
        v.Document = $"{kind.Name}/{name}";
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer))
        {
            new ManifestSchema(v, json).Write(mapping, ManifestJson.Default.ManifestEnvelope, "");
        }

        var spec = ReadSpec(mapping, kind, v);
        if (!v.IsValid)
        {
            return null;
        }

        var envelope = JsonSerializer.Deserialize(buffer.WrittenSpan, ManifestJson.Default.ManifestEnvelope)!;
        var metadata = envelope.Metadata;
        if (ResourceName.Problem(metadata.Name) is { } problem)
        {
            v.Add("metadata.name", $"'{metadata.Name}' {problem}");
        }

        Labels.Validate(metadata.Labels, "metadata.labels", v);
        kind.Validate(spec.Deserialize(kind.SpecType)!, v);
        return v.IsValid ? new Resource { Kind = kind.Name, Metadata = metadata, Spec = spec } : null;
    }

    private static ResourceKind? KindOf(ManifestMapping mapping, Validation v)
    {
        if (mapping.Find("apiVersion") is { Value: ManifestScalar version } entry && version.Text != Resource.CurrentApiVersion)
        {
            v.Add(entry.Line, "apiVersion", $"must be {Resource.CurrentApiVersion}, is '{version.Text}'");
        }

        if (mapping.Find("kind")?.Value is not ManifestScalar word)
        {
            v.Add(mapping.Line, "kind", "is required");
            return null;
        }

        var kind = ResourceKind.ByName(word.Text);
        if (kind is null)
        {
            v.Add(word.Line, "kind", $"'{word.Text}' is not known; kinds are {string.Join(", ", ResourceKind.All.Select(known => known.Name))}");
        }

        return kind;
    }

    private static JsonElement ReadSpec(ManifestMapping mapping, ResourceKind kind, Validation v)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer))
        {
            var spec = mapping.Find("spec")?.Value ?? new ManifestMapping(mapping.Line, []);
            new ManifestSchema(v, json).Write(spec, kind.SpecType, "spec");
        }

        using var parsed = JsonDocument.Parse(buffer.WrittenMemory);
        return parsed.RootElement.Clone();
    }
}

/// <summary>What a text held: resources, or the faults that keep all of it from being applied.</summary>
/// <param name="Resources">Empty if there are errors.</param>
/// <param name="Errors">Ordered by document and line.</param>
public sealed record ManifestResult(IReadOnlyList<Resource> Resources, IReadOnlyList<FieldError> Errors)
{
    /// <summary>Whether the resources can be applied.</summary>
    public bool IsValid => Errors.Count == 0;
}
