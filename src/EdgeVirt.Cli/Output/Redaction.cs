using System.Text.Json;
using System.Text.Json.Nodes;
using EdgeVirt.Contracts.Manifests;
using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Cli.Output;

/// <summary>
/// Takes the values out of Secrets, and from what is described what may well be confidential too. The hub does not give the values of Secrets back in the first
/// place; what stands in their place here is no base64, and no user-data, so that a manifest made of it is refused rather than empties anything.
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

    /// <summary>
    /// As <see cref="Of"/>, and without what cloud-init is told: that often holds passwords, and a description is what people put
    /// on screens and into tickets.
    /// </summary>
    public static Resource ForDescription(Resource resource)
    {
        if (resource.Kind != ResourceKind.VirtualMachine.Name || JsonNode.Parse(resource.Spec.GetRawText()) is not JsonObject root || root["cloudInit"] is not JsonObject seed)
        {
            return Of(resource);
        }

        foreach (var field in new[] { "userData", "networkConfig" })
        {
            if (seed[field] is not null)
            {
                seed[field] = Mark;
            }
        }

        using var spec = JsonDocument.Parse(root.ToJsonString());
        return resource with { Spec = spec.RootElement.Clone() };
    }

    /// <summary>The keys of a Secret.</summary>
    public static IReadOnlyList<string> KeysOf(Resource secret)
    {
        var spec = secret.SpecOf<SecretSpec>();
        return [.. (spec.Data?.Keys ?? []).Concat(spec.StringData?.Keys ?? []).Order(StringComparer.Ordinal)];
    }
}
