using System.Globalization;
using System.Text.Json.Nodes;
using EdgeVirt.Contracts.Manifests;

namespace EdgeVirt.Cli.Compose;

/// <summary>One service as one workload.</summary>
internal sealed partial class ComposeService(
    string project, string folder, IReadOnlyDictionary<string, string> variables, ComposeNamedVolumes named, ComposeFiles files, ComposeFindings findings)
{
    private readonly ComposeVolumes volumes = new(named, folder, findings);
    private readonly JsonObject container = [];
    private readonly JsonObject security = [];
    private readonly JsonObject limits = [];
    private readonly JsonObject template = new() { ["restartPolicy"] = "Never" };
    private readonly SortedDictionary<string, string> environment = new(StringComparer.Ordinal);

    public JsonObject Map(ManifestEntry service)
    {
        var name = ComposeText.Label(service.Key);
        if (name != service.Key)
        {
            findings.Notice(service.Line, $"the service '{service.Key}' is called {name}: names are DNS labels");
        }

        container["name"] = name;
        foreach (var entry in service.Value.Mapping().Entries.OrderBy(entry => entry.Key switch { "env_file" => 0, "deploy" => 2, _ => 1 }))
        {
            if (!(Process(entry) || Rights(entry) || Life(entry) || Resources(entry) || Rest(entry, service.Key)))
            {
                findings.Loss(entry.Line, $"services.{service.Key}.{entry.Key} cannot be carried over{(entry.Key == "build" ? ": build the image and name it with 'image'" : "")}");
            }
        }

        Finish(service);
        template["containers"] = new JsonArray(container);
        return new JsonObject
        {
            ["apiVersion"] = "edgevirt.io/v1",
            ["kind"] = "Workload",
            ["metadata"] = new JsonObject
            {
                ["name"] = name,
                ["labels"] = new JsonObject { ["app.kubernetes.io/name"] = name, ["app.kubernetes.io/part-of"] = project },
            },
            ["spec"] = new JsonObject { ["strategy"] = new JsonObject { ["set"] = project }, ["template"] = template }.With("placement", placement.Count > 0 ? placement : null),
        };
    }

    private bool Process(ManifestEntry entry)
    {
        switch (entry.Key)
        {
            case "image":
                container["image"] = ComposeText.Image(entry.Value.Text());
                return true;
            case "working_dir":
                container["workingDir"] = entry.Value.Text();
                return true;
            case "entrypoint" or "command":
                container[entry.Key == "command" ? "args" : "command"] = entry.Value.Command();
                return true;
            case "environment":
                ReadEnvironment(entry.Value);
                return true;
            case "env_file":
                foreach (var item in entry.Value.Items())
                {
                    ReadEnvironmentFile(item);
                }

                return true;
            case "ports":
                container["ports"] = ComposePorts.Map(entry.Value, findings);
                return true;
            case "volumes":
                volumes.Add(entry.Value);
                return true;
            case "tmpfs":
                volumes.AddTmpfs(entry.Value);
                return true;
            default:
                return false;
        }
    }

    private void ReadEnvironmentFile(ManifestNode item)
    {
        var map = item as ManifestMapping;
        var path = Path.GetFullPath((map is null ? item.Text() : map.Text("path")) ?? "", folder);
        if (File.Exists(path))
        {
            foreach (var (key, value) in ComposeText.Variables(File.ReadAllText(path)))
            {
                environment[key] = value;
            }
        }
        else if (map?.Text("required") is not "false")
        {
            throw new CliException(ExitCodes.NotFound, $"line {item.Line}: there is no file '{path}'.");
        }
    }

    private void ReadEnvironment(ManifestNode node)
    {
        var pairs = node is ManifestMapping map
            ? map.Entries.Select(entry => (entry.Line, entry.Key, Value: entry.Value is ManifestScalar { IsNull: true } ? null : entry.Value.Text()))
            : node.Items().Select(item => (item, Parts: item.Text().Split('=', 2))).Select(pair => (pair.item.Line, Key: pair.Parts[0], Value: pair.Parts.Length == 2 ? pair.Parts[1] : null));
        foreach (var (line, key, given) in pairs)
        {
            if ((given ?? variables.GetValueOrDefault(key)) is { } value)
            {
                environment[key] = value;
            }
            else
            {
                findings.Loss(line, $"the variable {key} has no value here; set it in the environment or in .env beside the file");
            }
        }
    }

    private bool Rights(ManifestEntry entry)
    {
        switch (entry.Key)
        {
            case "privileged" or "read_only":
                security[entry.Key == "privileged" ? "privileged" : "readOnlyRootFilesystem"] = entry.Value.IsTrue();
                return true;
            case "cap_add" or "cap_drop":
                var changes = security["capabilities"] as JsonObject ?? [];
                changes[entry.Key == "cap_add" ? "add" : "drop"] = ComposeNodes.Array(entry.Value.Items().Select(item => item.Text()));
                security["capabilities"] = changes.Parent is null ? changes : changes.DeepClone();
                return true;
            case "user":
                var ids = entry.Value.Text().Split(':').Select(text => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var id) ? id : -1).ToList();
                if (ids.Contains(-1) || ids.Count > 2)
                {
                    return false;
                }

                security["runAsUser"] = ids[0];
                if (ids.Count == 2)
                {
                    security["runAsGroup"] = ids[1];
                }

                return true;
            case "devices" when entry.Value.Items().All(item => item is ManifestScalar):
                container["devices"] = new JsonArray([.. entry.Value.Items().Select(item => (JsonNode?)Device(item.Text()))]);
                return true;
            case "network_mode" when entry.Value.Text() == "host":
                template["hostNetwork"] = true;
                return true;
            default:
                return false;
        }
    }

    private static JsonObject Device(string text)
    {
        var parts = text.Split(':');
        var device = new JsonObject { ["path"] = parts[0] };
        if (parts.Length > 1 && parts[1] != parts[0])
        {
            device["containerPath"] = parts[1];
        }

        if (parts.Length > 2)
        {
            device["permissions"] = parts[2];
        }

        return device;
    }

    private bool Life(ManifestEntry entry)
    {
        switch (entry.Key)
        {
            case "restart" when entry.Value.Text() is "no" or "always" or "unless-stopped" or "on-failure":
                template["restartPolicy"] = entry.Value.Text() switch { "no" => "Never", "on-failure" => "OnFailure", _ => "Always" };
                return true;
            case "stop_grace_period" when ComposeText.Seconds(entry.Value.Text()) is { } seconds:
                template["terminationGracePeriodSeconds"] = seconds;
                return true;
            case "healthcheck":
                if (ComposeHealth.Map(entry.Value.Mapping(), findings) is { } probe)
                {
                    container["readinessProbe"] = probe;
                }

                return true;
            case "depends_on":
                template["startAfter"] = ComposeDependencies.Map(entry.Value, findings);
                return true;
            default:
                return false;
        }
    }

    private void Finish(ManifestEntry service)
    {
        if (environment.Count > 0)
        {
            container["env"] = new JsonArray([.. environment.Select(pair => (JsonNode)new JsonObject { ["name"] = pair.Key, ["value"] = pair.Value })]);
        }

        if (limits.Count + requests.Count > 0)
        {
            var resources = container["resources"] as JsonObject ?? [];
            container["resources"] = (resources.Parent is null ? resources : (JsonObject)resources.DeepClone())
                .With("limits", limits.Count > 0 ? limits : null).With("requests", requests.Count > 0 ? requests : null);
        }

        if (security.Count > 0)
        {
            container["securityContext"] = security;
        }

        if (volumes.Volumes.Count > 0)
        {
            container["volumeMounts"] = volumes.Mounts;
            template["volumes"] = volumes.Volumes;
        }

        if (template.ContainsKey("hostNetwork") && container.Remove("ports"))
        {
            findings.Notice(service.Line, "its ports need not be published: with network_mode host they are the node's own");
        }
    }
}
