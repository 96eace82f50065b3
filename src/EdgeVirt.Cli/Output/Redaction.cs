using System.Text.Json;
using System.Text.Json.Nodes;
using EdgeVirt.Contracts.Manifests;
using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Cli.Output;

/// <summary>
/// Takes the values out of Secrets. The hub does not give them back in the first place; what stands in
/// their place here is no base64, so that a manifest made of it is refused rather than empties the Secret.
/// </summary>
internal static class Redaction
{
    public const string Mark = "***";

    public static Resource Of(Resource resource)
    {
        if (resource.Kind != ResourceKind.Secret.Name)
        {
            return resource;
        }

        var data = new JsonObject();
        foreach (var key in KeysOf(resource))
        {
            data[key] = Mark;
        }

        using var spec = JsonDocument.Parse(new JsonObject { ["data"] = data }.ToJsonString());
        return resource with { Spec = spec.RootElement.Clone() };
    }

    /// <summary>The keys of a Secret.</summary>
    public static IReadOnlyList<string> KeysOf(Resource secret)
    {
        var spec = secret.SpecOf<SecretSpec>();
        return [.. (spec.Data?.Keys ?? []).Concat(spec.StringData?.Keys ?? []).Order(StringComparer.Ordinal)];
    }
}
