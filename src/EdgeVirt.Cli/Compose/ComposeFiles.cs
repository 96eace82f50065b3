using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using EdgeVirt.Contracts.Manifests;

namespace EdgeVirt.Cli.Compose;

/// <summary>Top-level <c>configs</c> and <c>secrets</c> as Configs and Secrets, and where services have them as files.</summary>
internal sealed class ComposeFiles(string project, string folder, IReadOnlyDictionary<string, string> variables, ComposeFindings findings)
{
    private const string SecretsFolder = "/run/secrets";
    private readonly Dictionary<(bool IsSecret, string Name), string> resources = [];

    /// <summary>What has to be there for the services.</summary>
    public List<JsonObject> Resources { get; } = [];

    /// <summary>Takes in one of the two sections of the file.</summary>
    /// <exception cref="CliException">There is no such file.</exception>
    public void Read(ManifestEntry section)
    {
        var isSecret = section.Key == "secrets";
        foreach (var entry in section.Value.Mapping().Entries)
        {
            Read(entry, isSecret);
        }
    }

    /// <summary>Has a service see them as files, at Compose's places.</summary>
    public void Mount(string service, ManifestEntry section, ComposeVolumes volumes)
    {
        var isSecret = section.Key == "secrets";
        foreach (var item in section.Value.Items())
        {
            var map = item as ManifestMapping;
            var source = map?.Text("source") ?? (map is null ? item.Text() : "");
            if (!resources.TryGetValue((isSecret, source), out var resource))
            {
                findings.Loss(item.Line, $"services.{service}.{section.Key} cannot be carried over: '{source}' is not among the file's {section.Key}");
                continue;
            }

            foreach (var entry in map?.Entries.Where(entry => entry.Key is not ("source" or "target" or "mode")) ?? [])
            {
                findings.Loss(entry.Line, $"services.{service}.{section.Key}.{entry.Key} cannot be carried over: use mode, or fsGroup of the workload's securityContext");
            }

            var place = map?.Text("target") ?? source;
            var target = place.StartsWith('/') ? place : isSecret ? $"{SecretsFolder}/{place}" : $"/{place}";
            var file = new JsonObject { ["key"] = source, ["path"] = source };
            if (map?.Text("mode") is { } mode)
            {
                file["mode"] = ModeOf(mode);
            }

            var projection = new JsonObject { [isSecret ? "secretName" : "name"] = resource, ["items"] = new JsonArray(file) };
            volumes.AddFile(new JsonObject { [isSecret ? "secret" : "config"] = projection }, target, source);
        }
    }

    private void Read(ManifestEntry entry, bool isSecret)
    {
        var what = isSecret ? "secret" : "config";
        var options = entry.Value.Mapping();
        foreach (var other in options.Entries.Where(option => option.Key is not ("file" or "content" or "environment" or "external" or "name" or "labels") && !option.Key.StartsWith("x-", StringComparison.Ordinal)))
        {
            findings.Loss(other.Line, $"{what}s: {other.Key} cannot be carried over");
        }

        if (options.Find("external")?.Value is { } external && (external is ManifestMapping || external.IsTrue()))
        {
            var name = ComposeText.Label(options.Text("name") ?? entry.Key);
            resources[(isSecret, entry.Key)] = name;
            findings.Notice(entry.Line, $"the {what} '{entry.Key}' is not in the file: apply a {(isSecret ? "Secret" : "Config")} '{name}' with the key '{entry.Key}'");
            return;
        }

        if (ContentOf(options, entry.Line, what, entry.Key) is not { } content)
        {
            return;
        }

        var resource = ComposeText.Label($"{project}-{options.Text("name") ?? entry.Key}");
        var text = Decoded(content);
        if (text is null && !isSecret)
        {
            findings.Loss(entry.Line, $"the config '{entry.Key}' cannot be carried over: it is no text; make it a secret");
            return;
        }

        resources[(isSecret, entry.Key)] = resource;
        var data = new JsonObject { [entry.Key] = text ?? Convert.ToBase64String(content) };
        Resources.Add(new JsonObject
        {
            ["apiVersion"] = "edgevirt.io/v1",
            ["kind"] = isSecret ? "Secret" : "Config",
            ["metadata"] = new JsonObject { ["name"] = resource, ["labels"] = new JsonObject { ["app.kubernetes.io/part-of"] = project } },
            ["spec"] = new JsonObject { [isSecret && text is not null ? "stringData" : "data"] = data },
        });
        if (isSecret)
        {
            findings.Notice(entry.Line, $"the secret '{entry.Key}' is in the manifests as it is, as Secret {resource}: keep them as you keep it");
        }
    }

    private byte[]? ContentOf(ManifestMapping options, int line, string what, string name)
    {
        if (options.Text("content") is { } content)
        {
            return Encoding.UTF8.GetBytes(content);
        }

        if (options.Text("environment") is { } variable)
        {
            if (variables.GetValueOrDefault(variable) is { } value)
            {
                return Encoding.UTF8.GetBytes(value);
            }

            findings.Loss(line, $"the {what} '{name}' cannot be carried over: the variable {variable} is not set; set it in the environment or in .env beside the file");
            return null;
        }

        if (options.Text("file") is not { } file)
        {
            findings.Loss(line, $"the {what} '{name}' cannot be carried over: it has none of file, content, environment and external");
            return null;
        }

        var path = Path.GetFullPath(file, folder);
        return File.Exists(path) ? File.ReadAllBytes(path) : throw new CliException(ExitCodes.NotFound, $"line {line}: there is no file '{path}' for the {what} '{name}'.");
    }

    private static string? Decoded(byte[] content)
    {
        try
        {
            return new UTF8Encoding(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true).GetString(content);
        }
        catch (DecoderFallbackException)
        {
            return null;
        }
    }

    // Octal where it is written so, as YAML 1.1 and Compose have it.
    private static int ModeOf(string text)
    {
        var digits = text.StartsWith("0o", StringComparison.Ordinal) ? text[2..] : text;
        return digits.StartsWith('0') || text.Length != digits.Length
            ? digits.Aggregate(0, (value, digit) => digit is >= '0' and <= '7' ? (value * 8) + (digit - '0') : -1)
            : int.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : -1;
    }
}
