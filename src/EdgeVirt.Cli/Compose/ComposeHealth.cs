using System.Globalization;
using System.Text.Json.Nodes;
using EdgeVirt.Contracts.Manifests;

namespace EdgeVirt.Cli.Compose;

/// <summary><c>healthcheck</c> of a service as a readiness probe: as in Compose, failing it restarts nothing.</summary>
internal static class ComposeHealth
{
    public static JsonObject? Map(ManifestMapping check, ComposeFindings findings)
    {
        if (check.Find("disable")?.Value.IsTrue() == true)
        {
            return null;
        }

        // Compose's own defaults, which are not those of Kubernetes.
        var probe = new JsonObject { ["periodSeconds"] = 30, ["timeoutSeconds"] = 30, ["failureThreshold"] = 3 };
        foreach (var entry in check.Entries)
        {
            switch (entry.Key)
            {
                case "test" when Command(entry.Value) is { } command:
                    probe["exec"] = new JsonObject { ["command"] = command };
                    break;
                case "interval" when ComposeText.Seconds(entry.Value.Text()) is { } seconds:
                    probe["periodSeconds"] = seconds;
                    break;
                case "timeout" when ComposeText.Seconds(entry.Value.Text()) is { } seconds:
                    probe["timeoutSeconds"] = seconds;
                    break;
                case "retries" when int.TryParse(entry.Value.Text(), NumberStyles.None, CultureInfo.InvariantCulture, out var retries):
                    probe["failureThreshold"] = retries;
                    break;
                case "disable":
                case "test" when entry.Value is ManifestSequence { Items: { Count: 1 } items } && items[0].Text() == "NONE":
                    break;
                case "start_period" or "start_interval":
                    findings.Notice(entry.Line, $"healthcheck.{entry.Key} is not needed: the workload is not Ready until the check succeeds");
                    break;
                default:
                    findings.Loss(entry.Line, $"this healthcheck.{entry.Key} cannot be carried over");
                    break;
            }
        }

        return probe.ContainsKey("exec") ? probe : null;
    }

    private static JsonArray? Command(ManifestNode test) => test switch
    {
        ManifestScalar scalar => ComposeNodes.Array(["/bin/sh", "-c", scalar.Text]),
        ManifestSequence { Items: { Count: > 1 } items } when items[0].Text() == "CMD" => ComposeNodes.Array(items.Skip(1).Select(item => item.Text())),
        ManifestSequence { Items: { Count: 2 } items } when items[0].Text() == "CMD-SHELL" => ComposeNodes.Array(["/bin/sh", "-c", items[1].Text()]),
        _ => null,
    };
}
