using System.Globalization;
using System.Text.Json;
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
        var faults = new Validation();
        var documents = ManifestReader.Read(text, faults);
        if (faults.Errors is [var fault, ..])
        {
            throw new CliException(ExitCodes.Invalid, $"line {fault.Line}: {fault.Reason}");
        }

        if (documents is not [ManifestMapping root] || root.Find("services") is null)
        {
            throw new CliException(ExitCodes.Invalid, "this is no Compose file: it has no 'services'.", "Give one file in the format of the Compose specification.");
        }

        root = (ManifestMapping)new Interpolation(variables, findings).Expand(root);
        var project = ComposeText.Label(projectName ?? root.Text("name") ?? Path.GetFileName(folder));
        foreach (var entry in root.Entries.Where(entry => entry.Key is not ("services" or "version" or "name" or "volumes") && !entry.Key.StartsWith("x-", StringComparison.Ordinal)))
        {
            findings.Loss(entry.Line, $"{entry.Key} cannot be carried over");
        }

        foreach (var entry in root.Find("volumes")?.Value.Mapping().Entries.SelectMany(volume => volume.Value.Mapping().Entries) ?? [])
        {
            findings.Loss(entry.Line, $"volumes: {entry.Key} cannot be carried over");
        }

        var output = new StringWriter(CultureInfo.InvariantCulture) { NewLine = "\n" };
        foreach (var service in root.Find("services")!.Value.Mapping().Entries)
        {
            using var json = JsonDocument.Parse(new ComposeService(project, folder, variables, findings).Map(service).ToJsonString());
            output.WriteLine("---");
            YamlOutput.Write(output, json.RootElement);
        }

        return output.ToString();
    }
}
