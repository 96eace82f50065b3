using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using EdgeVirt.Cli.Output;
using EdgeVirt.Contracts.Manifests;
using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Cli.Compose;

/// <summary>A Compose file as EdgeVirt manifests.</summary>
internal static class ComposeImport
{
    /// <summary>The manifests as YAML; what a reader should know goes to <paramref name="findings"/>.</summary>
    /// <exception cref="CliException">It is no Compose file, or a required variable is missing.</exception>
    public static string Convert(string text, string folder, string? projectName, IReadOnlyDictionary<string, string> variables, ComposeFindings findings)
    {
        ManifestMapping Parse(string content) => (ManifestMapping)new Interpolation(variables, findings).Expand(Document(content));
        var root = Parse(text);
        if (root.Find("services") is not { } given)
        {
            throw new CliException(ExitCodes.Invalid, "this is no Compose file: it has no 'services'.", "Give one file in the format of the Compose specification.");
        }

        var services = new ComposeExtends(folder, path => File.Exists(path) ? Parse(File.ReadAllText(path)) : throw new CliException(ExitCodes.NotFound, $"there is no file '{path}' to extend."), findings)
            .Resolve(given.Value.Mapping());
        root = root with { Entries = [.. root.Entries.Select(entry => entry.Key == "services" ? entry with { Value = services } : entry)] };
        var project = ComposeText.Label(projectName ?? root.Text("name") ?? Path.GetFileName(folder));
        var (named, files) = (new ComposeNamedVolumes(project, root, findings), new ComposeFiles(project, folder, variables, findings));
        foreach (var entry in root.Entries.Where(entry => entry.Key is not ("services" or "version" or "name" or "volumes") && !entry.Key.StartsWith("x-", StringComparison.Ordinal)))
        {
            switch (entry.Key)
            {
                case "configs" or "secrets":
                    files.Read(entry);
                    break;
                case "networks":
                    ComposeNetworks.Check(entry, findings);
                    break;
                default:
                    findings.Loss(entry.Line, $"{entry.Key} cannot be carried over");
                    break;
            }
        }

        var workloads = services.Entries.Where(service => IsActive(service, variables, findings))
            .Select(service => new ComposeService(project, folder, variables, named, files, findings).Map(service)).ToList();
        return Written([.. files.Resources, .. workloads]);
    }

    // As Compose: what has profiles is started only with one of them.
    private static bool IsActive(ManifestEntry service, IReadOnlyDictionary<string, string> variables, ComposeFindings findings)
    {
        var profiles = service.Value.Mapping().Find("profiles")?.Value.Items().Select(item => item.Text()).ToList() ?? [];
        var active = (variables.GetValueOrDefault("COMPOSE_PROFILES") ?? "").Split(',', StringSplitOptions.TrimEntries);
        if (profiles.Count == 0 || active.Contains("*") || profiles.Exists(active.Contains))
        {
            return true;
        }

        findings.Notice(service.Line, $"the service '{service.Key}' is left out, as its profile is not active; for it, set COMPOSE_PROFILES={profiles[0]} in the environment");
        return false;
    }

    private static ManifestMapping Document(string text)
    {
        var faults = new Validation();
        var documents = ManifestReader.Read(text, faults, aliases: true);
        if (faults.Errors is [var fault, ..])
        {
            throw new CliException(ExitCodes.Invalid, $"line {fault.Line}: {fault.Reason}");
        }

        return documents is [ManifestMapping root] ? root
            : throw new CliException(ExitCodes.Invalid, "this is no Compose file: it is not one mapping.", "Give one file in the format of the Compose specification.");
    }

    private static string Written(IEnumerable<JsonObject> resources)
    {
        var output = new StringWriter(CultureInfo.InvariantCulture) { NewLine = "\n" };
        foreach (var resource in resources)
        {
            using var json = JsonDocument.Parse(resource.ToJsonString());
            output.WriteLine("---");
            YamlOutput.Write(output, json.RootElement);
        }

        return output.ToString();
    }
}
