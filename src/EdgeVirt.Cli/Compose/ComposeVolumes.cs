using System.Text.Json.Nodes;
using EdgeVirt.Contracts.Manifests;

namespace EdgeVirt.Cli.Compose;

/// <summary><c>volumes</c> and <c>tmpfs</c> of a service.</summary>
internal sealed class ComposeVolumes(string project, string folder, ComposeFindings findings)
{
    private const string SizeLimit = "1Gi";

    public JsonArray Volumes { get; } = [];

    public JsonArray Mounts { get; } = [];

    public void AddTmpfs(ManifestNode node)
    {
        foreach (var item in node.Items())
        {
            var parts = item.Text().Split(':', 2);
            if (parts.Length == 2)
            {
                findings.Loss(item.Line, $"the tmpfs options '{parts[1]}' cannot be carried over");
            }

            Add(new JsonObject { ["emptyDir"] = new JsonObject { ["medium"] = "Memory" } }, parts[0], isReadOnly: false);
        }
    }

    public void Add(ManifestNode node)
    {
        foreach (var item in node.Items())
        {
            if (item is ManifestMapping map)
            {
                foreach (var entry in map.Entries.Where(entry => entry.Key is not ("type" or "source" or "target" or "read_only")))
                {
                    findings.Loss(entry.Line, $"volumes.{entry.Key} cannot be carried over");
                }

                Add(item.Line, map.Text("type"), map.Text("source"), map.Text("target") ?? "", map.Find("read_only")?.Value.IsTrue() == true);
                continue;
            }

            var parts = item.Text().Split(':');
            var options = parts.Length > 2 ? parts[2].Split(',') : [];
            foreach (var option in options.Where(option => option is not ("ro" or "rw")))
            {
                findings.Loss(item.Line, $"the volume option '{option}' cannot be carried over");
            }

            Add(item.Line, type: null, parts.Length > 1 ? parts[0] : null, parts.Length > 1 ? parts[1] : parts[0], options.Contains("ro"));
        }
    }

    private void Add(int line, string? type, string? source, string target, bool isReadOnly)
    {
        if (type is not (null or "bind" or "volume" or "tmpfs"))
        {
            findings.Loss(line, $"volumes of type '{type}' cannot be carried over");
        }
        else if (type == "tmpfs")
        {
            Add(new JsonObject { ["emptyDir"] = new JsonObject { ["medium"] = "Memory" } }, target, isReadOnly);
        }
        else if (source is null)
        {
            findings.Notice(line, $"the volume without a name at {target} lives as long as the workload");
            Add(new JsonObject { ["emptyDir"] = new JsonObject() }, target, isReadOnly);
        }
        else if (source.StartsWith('~'))
        {
            findings.Loss(line, $"'{source}' is in a home folder of this machine; write the node's absolute path");
        }
        else if (type == "bind" || (type is null && source[0] is '/' or '.'))
        {
            var path = Path.GetFullPath(source, folder);
            findings.Notice(line, $"{path} must be on the node, and the node must allow it (hostPath)");
            Add(new JsonObject { ["hostPath"] = new JsonObject { ["path"] = path } }, target, isReadOnly);
        }
        else
        {
            var name = ComposeText.Label($"{project}-{source}");
            findings.Notice(line, $"the volume '{source}' is {name} on the node, of at most {SizeLimit}: change sizeLimit where that is wrong");
            Add(new JsonObject { ["persistentVolume"] = new JsonObject { ["volumeName"] = name, ["sizeLimit"] = SizeLimit } }, target, isReadOnly);
        }
    }

    private void Add(JsonObject volume, string target, bool isReadOnly)
    {
        var name = $"volume-{Volumes.Count + 1}";
        volume.Insert(0, "name", name);
        Volumes.Add((JsonNode)volume);
        var mount = new JsonObject { ["name"] = name, ["mountPath"] = target };
        if (isReadOnly)
        {
            mount["readOnly"] = true;
        }

        Mounts.Add((JsonNode)mount);
    }
}
