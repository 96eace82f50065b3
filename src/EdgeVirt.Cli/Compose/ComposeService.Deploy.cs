using System.Globalization;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using EdgeVirt.Contracts.Manifests;

namespace EdgeVirt.Cli.Compose;

/// <summary><c>deploy</c>, and resources that services have outside of it.</summary>
internal sealed partial class ComposeService
{
    private readonly JsonObject requests = [];
    private readonly JsonObject placement = [];

    private bool Resources(ManifestEntry entry)
    {
        switch (entry.Key)
        {
            case "deploy":
                foreach (var part in entry.Value.Mapping().Entries)
                {
                    Deploy(part);
                }

                return true;
            case "mem_limit" when ComposeText.Bytes(entry.Value.Text()) is { } bytes:
                limits["memory"] = bytes;
                return true;
            case "mem_reservation" when ComposeText.Bytes(entry.Value.Text()) is { } bytes:
                requests["memory"] = bytes;
                return true;
            case "pids_limit" or "pids" when Whole(entry.Value) is { } pids:
                if (pids > 0)
                {
                    limits["pids"] = pids;
                }

                return true;
            case "cpus":
                limits["cpu"] = entry.Value.Text();
                return true;
            case "cpuset":
                container["resources"] = new JsonObject { ["cpus"] = entry.Value.Text() };
                return true;
            case "shm_size" when ComposeText.Bytes(entry.Value.Text()) is { } bytes:
                volumes.AddMemory("/dev/shm", bytes);
                return true;
            case "scale":
                Replicas(entry);
                return true;
            default:
                return false;
        }
    }

    private void Deploy(ManifestEntry part)
    {
        switch (part.Key)
        {
            case "resources":
                foreach (var kind in part.Value.Mapping().Entries)
                {
                    foreach (var amount in kind.Value.Mapping().Entries)
                    {
                        Amount(kind.Key, amount);
                    }
                }

                break;
            case "replicas":
                Replicas(part);
                break;
            case "restart_policy":
                RestartPolicy(part.Value.Mapping());
                break;
            case "placement":
                foreach (var rule in part.Value.Mapping().Entries)
                {
                    Place(rule);
                }

                break;
            case "mode" when part.Value.Text() is "replicated" or "global":
                break;
            case "update_config" or "rollback_config" or "labels" or "endpoint_mode":
                findings.Notice(part.Line, $"deploy.{part.Key} is not carried over: the set is updated, and rolled back, as a whole");
                break;
            default:
                findings.Loss(part.Line, $"this deploy.{part.Key} cannot be carried over");
                break;
        }
    }

    private void Amount(string kind, ManifestEntry amount)
    {
        var into = kind == "limits" ? limits : kind == "reservations" ? requests : null;
        switch (amount.Key)
        {
            case "cpus" when into is not null:
                into["cpu"] = amount.Value.Text();
                break;
            case "memory" when into is not null && ComposeText.Bytes(amount.Value.Text()) is { } bytes:
                into["memory"] = bytes;
                break;
            case "pids" when kind == "limits" && Whole(amount.Value) is { } pids:
                into!["pids"] = pids;
                break;
            case "devices":
                findings.Loss(amount.Line, $"deploy.resources.{kind}.devices cannot be carried over: name the device files of the node in 'devices', as /dev/dri/renderD128");
                break;
            default:
                findings.Loss(amount.Line, $"this deploy.resources.{kind}.{amount.Key} cannot be carried over");
                break;
        }
    }

    private void Replicas(ManifestEntry entry)
    {
        if (Whole(entry.Value) is not { } count)
        {
            findings.Loss(entry.Line, $"this {entry.Key} cannot be carried over");
        }
        else if (count != 1)
        {
            placement["replicas"] = count;
            findings.Notice(entry.Line, count == 0 ? "replicas: 0 keeps it off all nodes" : $"replicas: a workload runs once on a node, so {count} replicas are on {count} nodes");
        }
    }

    private void RestartPolicy(ManifestMapping policy)
    {
        // As in Compose, what is absent means any.
        template["restartPolicy"] = policy.Text("condition") switch { "none" => "Never", "on-failure" => "OnFailure", _ => "Always" };
        foreach (var entry in policy.Entries.Where(entry => entry.Key != "condition"))
        {
            findings.Notice(entry.Line, $"deploy.restart_policy.{entry.Key} is not carried over: it is restarted as often as it takes, with growing pauses up to 5 minutes");
        }
    }

    private void Place(ManifestEntry rule)
    {
        foreach (var item in rule.Key == "constraints" ? rule.Value.Items() : [rule.Value])
        {
            if (item is ManifestScalar scalar && LabelRule().Match(scalar.Text) is { Success: true } match)
            {
                var selector = placement["nodeSelector"] as JsonObject;
                placement["nodeSelector"] = selector ??= [];
                selector[match.Groups["name"].Value] = match.Groups["value"].Value;
            }
            else
            {
                findings.Loss(item.Line, $"this deploy.placement.{rule.Key} cannot be carried over: write node.labels.NAME == VALUE");
            }
        }
    }

    private static int? Whole(ManifestNode node) => int.TryParse(node.Text(), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) ? number : null;

    [GeneratedRegex(@"^\s*node\.labels\.(?<name>[A-Za-z0-9._/-]+)\s*==\s*(?<value>[A-Za-z0-9._-]+)\s*$")]
    private static partial Regex LabelRule();
}
