using System.Text.Json.Nodes;
using EdgeVirt.Contracts.Manifests;

namespace EdgeVirt.Cli.Compose;

/// <summary>What is carried over in a few words, or need not be.</summary>
internal sealed partial class ComposeService
{
    private bool Rest(ManifestEntry entry, string name)
    {
        switch (entry.Key)
        {
            case "configs" or "secrets":
                files.Mount(name, entry, volumes);
                return true;
            case "networks":
                ComposeNetworks.CheckOf(name, entry.Value, findings);
                return true;
            case "network_mode" when entry.Value.Text() is "bridge" or "default":
            case "expose" or "profiles" or "attach" or "develop" or "pull_refresh_after":
                return true;
            case "stdin_open" or "tty":
                container[entry.Key == "tty" ? "tty" : "stdin"] = entry.Value.IsTrue();
                return true;
            case "pull_policy" when PullPolicy(entry.Value.Text()) is { } policy:
                container["imagePullPolicy"] = policy;
                return true;
            case "group_add" when entry.Value.Items().All(item => Whole(item) is >= 0):
                template["securityContext"] = new JsonObject { ["supplementalGroups"] = new JsonArray([.. entry.Value.Items().Select(item => (JsonNode?)Whole(item))]) };
                return true;
            case "group_add":
                findings.Loss(entry.Line, $"services.{name}.group_add cannot be carried over: write the number that the group has on the node (getent group NAME)");
                return true;
            case "security_opt":
                return entry.Value.Items().All(SecurityOption);
            case "container_name" or "hostname":
                Called(entry, name);
                return true;
            case "labels" or "annotations":
                findings.Notice(entry.Line, $"{entry.Key} are not carried over: nothing here reads them");
                return true;
            case "logging":
                findings.Notice(entry.Line, "logging is not carried over: the node keeps each container's log, and limits it");
                return true;
            case "init":
                findings.Notice(entry.Line, "init is not carried over: the image's own program is process 1");
                return true;
            case "platform":
                findings.Notice(entry.Line, "platform is not carried over: a node takes the image for its own");
                return true;
            default:
                return entry.Key.StartsWith("x-", StringComparison.Ordinal);
        }
    }

    private bool SecurityOption(ManifestNode option)
    {
        switch (option.Text().Replace('=', ':'))
        {
            case "no-new-privileges" or "no-new-privileges:true":
                security["allowPrivilegeEscalation"] = false;
                return true;
            case "no-new-privileges:false" or "label:disable":
                return true;
            case "seccomp:unconfined":
                security["seccompProfile"] = new JsonObject { ["type"] = "Unconfined" };
                return true;
            case "apparmor:unconfined":
                security["appArmorProfile"] = new JsonObject { ["type"] = "Unconfined" };
                return true;
            default:
                return false;
        }
    }

    private void Called(ManifestEntry entry, string name)
    {
        if (ComposeText.Label(entry.Value.Text()) != ComposeText.Label(name))
        {
            findings.Notice(entry.Line, $"{entry.Key}: it is called {ComposeText.Label(name)} here, and others find it by that name");
        }
    }

    private static string? PullPolicy(string text) => text switch
    {
        "always" => "Always",
        "never" => "Never",
        "missing" or "if_not_present" => "IfNotPresent",
        _ => null,
    };
}
