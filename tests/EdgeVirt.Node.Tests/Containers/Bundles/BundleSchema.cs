using System.Text.Json.Nodes;
using NJsonSchema;

namespace EdgeVirt.Node.Tests.Containers.Bundles;

/// <summary>
/// The schema of config.json that the OCI runtime specification itself publishes, as Debian packages it. It is made stricter
/// in one way: it lets unknown words pass, which runtimes ignore without a word, so here they are faults.
/// </summary>
internal sealed class BundleSchema
{
    private const string Folder = "/usr/share/gocode/src/github.com/opencontainers/runtime-spec/schema";
    private readonly Dictionary<string, JsonObject> files = [];
    private readonly JsonSchema schema;

    public BundleSchema()
    {
        Assert.That(Directory.Exists(Folder), Is.True, "install golang-github-opencontainers-specs-dev, or run ./dev setup test");
        var whole = (JsonObject)Inlined(Read("config-schema.json"), "config-schema.json")!;
        foreach (var other in (string[])["solaris", "windows", "vm", "zos"])
        {
            whole["properties"]!.AsObject().Remove(other);
        }

        schema = JsonSchema.FromJsonAsync(whole.ToJsonString()).GetAwaiter().GetResult();
    }

    /// <summary>What is wrong with a config.json, a path and a kind each; empty: nothing.</summary>
    public IReadOnlyList<string> Faults(string config) => [.. schema.Validate(config).SelectMany(Told)];

    // What fails inside alternatives is told below them.
    private static IEnumerable<string> Told(NJsonSchema.Validation.ValidationError error) =>
        error is NJsonSchema.Validation.ChildSchemaValidationError within ? within.Errors.Values.SelectMany(errors => errors).SelectMany(Told) : [$"{error.Path}: {error.Kind}"];

    private JsonObject Read(string file)
    {
        if (!files.TryGetValue(file, out var read))
        {
            read = files[file] = JsonNode.Parse(File.ReadAllText(Path.Combine(Folder, file)))!.AsObject();
        }

        return read;
    }

    // The files refer to each other and never in a circle, so that one tree can take the place of all references.
    private JsonNode? Inlined(JsonNode? node, string file)
    {
        switch (node)
        {
            case JsonObject { } known when known["$ref"] is JsonValue reference:
                var (target, pointer) = reference.GetValue<string>().Split('#') is [var name, var path] ? (name.Length == 0 ? file : name, path) : throw new InvalidDataException($"{reference}");
                var found = pointer.Split('/', StringSplitOptions.RemoveEmptyEntries).Aggregate((JsonNode?)Read(target), (at, part) => at?[part]);
                return Inlined(found ?? throw new InvalidDataException($"{reference} in {file} leads nowhere"), target);
            case JsonObject { } parts when parts["allOf"] is JsonArray all:
                return Closed(Merged(all.Select(part => Inlined(part, file)!.AsObject())));
            case JsonObject known:
                return Closed(new JsonObject(known.Select(pair => KeyValuePair.Create(pair.Key, Inlined(pair.Value, file)))));
            case JsonArray array:
                return new JsonArray([.. array.Select(item => Inlined(item, file))]);
            default:
                return node?.DeepClone();
        }
    }

    private static JsonObject Merged(IEnumerable<JsonObject> parts)
    {
        var (properties, required) = (new JsonObject(), new JsonArray());
        foreach (var part in parts)
        {
            foreach (var (name, value) in part["properties"]!.AsObject())
            {
                properties[name] = value?.DeepClone();
            }

            foreach (var name in part["required"]?.AsArray() ?? [])
            {
                required.Add(name?.DeepClone());
            }
        }

        return new JsonObject { ["type"] = "object", ["properties"] = properties, ["required"] = required };
    }

    private static JsonObject Closed(JsonObject schema)
    {
        if (schema["properties"] is JsonObject && schema["type"] is JsonValue && schema["patternProperties"] is null && schema["additionalProperties"] is null)
        {
            schema["additionalProperties"] = false;
        }

        return schema;
    }
}
