using System.Text.Json.Nodes;
using EdgeVirt.Contracts.Manifests;

namespace EdgeVirt.Cli.Compose;

/// <summary>Reading the tree of a Compose file, which allows several shapes for one thing.</summary>
internal static class ComposeNodes
{
    public static string Text(this ManifestNode node) => node is ManifestScalar scalar
        ? scalar.Text
        : throw new CliException(ExitCodes.Invalid, $"line {node.Line}: a single value is expected here.", "Compare with the Compose specification.");

    public static string? Text(this ManifestMapping mapping, string key) => mapping.Find(key)?.Value.Text();

    public static ManifestMapping Mapping(this ManifestNode node) => node switch
    {
        ManifestMapping mapping => mapping,
        ManifestScalar { IsNull: true } => new ManifestMapping(node.Line, []),
        _ => throw new CliException(ExitCodes.Invalid, $"line {node.Line}: keys with values are expected here.", "Compare with the Compose specification."),
    };

    public static IReadOnlyList<ManifestNode> Items(this ManifestNode node) => node switch
    {
        ManifestSequence sequence => sequence.Items,
        ManifestScalar { IsNull: true } => [],
        _ => [node],
    };

    public static bool IsTrue(this ManifestNode node) => node.Text() is "true" or "yes" or "on";

    /// <summary>A list, or a string that is split as a shell does.</summary>
    public static JsonArray Command(this ManifestNode node) =>
        Array(node is ManifestScalar scalar ? ComposeText.Words(scalar.Text) : node.Items().Select(item => item.Text()));

    /// <summary>The same object with one more field, unless that is null.</summary>
    public static JsonObject With(this JsonObject known, string name, JsonNode? value)
    {
        if (value is not null)
        {
            known[name] = value;
        }

        return known;
    }

    public static JsonArray Array(IEnumerable<string> texts) => new([.. texts.Select(text => (JsonNode?)text)]);
}
