using System.Text.Json.Nodes;
using EdgeVirt.Contracts.Manifests;

namespace EdgeVirt.Cli.Compose;

/// <summary><c>depends_on</c> of a service, short and long, as <c>startAfter</c>.</summary>
internal static class ComposeDependencies
{
    public static JsonArray Map(ManifestNode node, ComposeFindings findings)
    {
        var all = new JsonArray();
        if (node is not ManifestMapping mapping)
        {
            foreach (var item in node.Items())
            {
                all.Add((JsonNode)After(item.Text(), "Started"));
            }

            return all;
        }

        foreach (var service in mapping.Entries)
        {
            all.Add((JsonNode)Map(service, findings));
        }

        return all;
    }

    private static JsonObject Map(ManifestEntry service, ComposeFindings findings)
    {
        var after = After(service.Key, "Started");
        foreach (var entry in service.Value.Mapping().Entries)
        {
            switch (entry.Key)
            {
                case "condition" when ConditionOf(entry.Value.Text()) is { } condition:
                    after["condition"] = condition;
                    break;
                case "required":
                    after["optional"] = !entry.Value.IsTrue();
                    break;
                case "restart" when !entry.Value.IsTrue():
                    break;
                default:
                    findings.Loss(entry.Line, $"this depends_on.{entry.Key} cannot be carried over");
                    break;
            }
        }

        return after;
    }

    private static string? ConditionOf(string text) => text switch
    {
        "service_started" => "Started",
        "service_healthy" => "Ready",
        "service_completed_successfully" => "Completed",
        _ => null,
    };

    private static JsonObject After(string service, string condition) => new() { ["workload"] = ComposeText.Label(service), ["condition"] = condition };
}
