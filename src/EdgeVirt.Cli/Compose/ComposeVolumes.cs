using System.Text.Json.Nodes;
using EdgeVirt.Contracts.Manifests;

namespace EdgeVirt.Cli.Compose;

/// <summary><c>volumes</c> and <c>tmpfs</c> of a service.</summary>
internal sealed class ComposeVolumes(ComposeNamedVolumes named, string folder, ComposeFindings findings)
{
    private const string SizeLimit = "1Gi";

    public JsonArray Volumes { get; } = [];

    public JsonArray Mounts { get; } = [];

    public void AddTmpfs(ManifestNode node)
    {
        foreach (var item in node.Items())
        {
            var parts = item.Text().Split(':', 2);
            string? size = null;
            foreach (var option in parts.Length == 2 ? parts[1].Split(',') : [])
            {
                size = option.StartsWith("size=", StringComparison.Ordinal) ? ComposeText.Bytes(option[5..]) : size;
                if (size is null || !option.StartsWith("size=", StringComparison.Ordinal))
                {
                    findings.Loss(item.Line, $"the tmpfs option '{option}' cannot be carried over");
                }
            }

            AddMemory(parts[0], size);
        }
    }

    /// <summary>A directory in memory.</summary>
    public void AddMemory(string target, string? size, bool isReadOnly = false) =>
        Add(new JsonObject { ["emptyDir"] = new JsonObject { ["medium"] = "Memory" }.With("sizeLimit", size) }, target, isReadOnly);

    /// <summary>One file of a Secret or Config.</summary>
    public void AddFile(JsonObject volume, string target, string file)
    {
        Add(volume, target, isReadOnly: true);
        Mounts[^1]!["subPath"] = file;
    }

    public void Add(ManifestNode node)
    {
        foreach (var item in node.Items())
        {
            if (item is ManifestMapping map)
            {
                AddLong(map);
                continue;
            }

            var parts = item.Text().Split(':');
            var options = parts.Length > 2 ? parts[2].Split(',') : [];
            // Labels of SELinux and hints for Docker's virtual machine have no meaning here.
            foreach (var option in options.Where(option => option is not ("ro" or "rw" or "z" or "Z" or "nocopy" or "cached" or "delegated" or "consistent")))
            {
                findings.Loss(item.Line, $"the volume option '{option}' cannot be carried over");
            }

            Add(item.Line, type: null, parts.Length > 1 ? parts[0] : null, parts.Length > 1 ? parts[1] : parts[0], options.Contains("ro"));
        }
    }

    private void AddLong(ManifestMapping map)
    {
        string? size = null;
        foreach (var entry in map.Entries)
        {
            var inner = entry.Key is "bind" or "volume" or "tmpfs" ? entry.Value.Mapping().Entries : [];
            size = inner.FirstOrDefault(option => option.Key == "size") is { } given ? ComposeText.Bytes(given.Value.Text()) : size;
            foreach (var option in inner.Where(option => option.Key is not ("create_host_path" or "selinux" or "nocopy" or "size")))
            {
                findings.Loss(option.Line, $"volumes.{entry.Key}.{option.Key} cannot be carried over");
            }

            if (entry.Key is not ("type" or "source" or "target" or "read_only" or "consistency" or "bind" or "volume" or "tmpfs"))
            {
                findings.Loss(entry.Line, $"volumes.{entry.Key} cannot be carried over");
            }
        }

        var isReadOnly = map.Find("read_only")?.Value.IsTrue() == true;
        if (map.Text("type") == "tmpfs")
        {
            AddMemory(map.Text("target") ?? "", size, isReadOnly);
            return;
        }

        Add(map.Line, map.Text("type"), map.Text("source"), map.Text("target") ?? "", isReadOnly);
    }

    private void Add(int line, string? type, string? source, string target, bool isReadOnly)
    {
        if (type is not (null or "bind" or "volume"))
        {
            findings.Loss(line, $"volumes of type '{type}' cannot be carried over");
        }
        else if (source is null)
        {
            findings.Notice(line, $"the volume without a name at {target} lives as long as the workload");
            Add(new JsonObject { ["emptyDir"] = new JsonObject() }, target, isReadOnly);
        }
        else if (source is "/var/run/docker.sock" or "/run/docker.sock")
        {
            findings.Loss(line, $"{source} cannot be carried over: no Docker engine runs on a node");
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
            var (name, users) = (named.NameOf(source), named.UsersOf(source));
            var shared = users.Count > 1 ? $"; {string.Join(", ", users)} share it, which they do on the same node alone" : "";
            findings.Notice(line, $"the volume '{source}' is {name} on the node, of at most {SizeLimit}: change sizeLimit where that is wrong{shared}");
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
