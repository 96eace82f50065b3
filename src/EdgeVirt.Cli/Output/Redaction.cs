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
    /// As <see cref="Of"/>, and without what cloud-init, Ignition and firmware are told: that often holds passwords, and a description is what people put
    /// on screens and into tickets.
    /// </summary>
    public static Resource ForDescription(Resource resource)
    {
        if (resource.Kind != ResourceKind.VirtualMachine.Name || JsonNode.Parse(resource.Spec.GetRawText()) is not JsonObject root)
        {
            return Of(resource);
        }

        Hide(root["cloudInit"], "userData", "networkConfig");
        Hide(root["ignition"], "config");
        foreach (var text in new[] { root["firmwareConfig"], (root["smbios"] as JsonObject)?["oemStrings"] }.OfType<JsonArray>().SelectMany(texts => texts))
        {
            Hide(text, "value");
        }

        using var spec = JsonDocument.Parse(root.ToJsonString());
        return resource with { Spec = spec.RootElement.Clone() };
    }

    private static void Hide(JsonNode? within, params ReadOnlySpan<string> fields)
    {
        foreach (var field in fields)
        {
            if (within is JsonObject holder && holder[field] is not null)
            {
                holder[field] = Mark;
            }
        }
    }

    /// <summary>The keys of a Secret.</summary>
    public static IReadOnlyList<string> KeysOf(Resource secret)
    {
        var spec = secret.SpecOf<SecretSpec>();
        return [.. (spec.Data?.Keys ?? []).Concat(spec.StringData?.Keys ?? []).Order(StringComparer.Ordinal)];
    }
}
