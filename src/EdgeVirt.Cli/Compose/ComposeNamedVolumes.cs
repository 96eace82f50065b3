using EdgeVirt.Contracts.Manifests;

namespace EdgeVirt.Cli.Compose;

/// <summary>Top-level <c>volumes</c>, and which services have each.</summary>
internal sealed class ComposeNamedVolumes
{
    private readonly string project;
    private readonly Dictionary<string, string> names = new(StringComparer.Ordinal);
    private readonly ILookup<string, string> users;

    public ComposeNamedVolumes(string project, ManifestMapping root, ComposeFindings findings)
    {
        this.project = project;
        users = (root.Find("services")?.Value.Mapping().Entries ?? [])
            .SelectMany(service => (service.Value.Mapping().Find("volumes")?.Value.Items() ?? []).Select(SourceOf).OfType<string>().Distinct().Select(source => (source, service.Key)))
            .ToLookup(use => use.source, use => use.Key);
        foreach (var volume in root.Find("volumes")?.Value.Mapping().Entries ?? [])
        {
            Read(volume, findings);
        }
    }

    /// <summary>What a volume is called on the node.</summary>
    public string NameOf(string volume) => names.GetValueOrDefault(volume) ?? ComposeText.Label($"{project}-{volume}");

    /// <summary>Services that share a volume; one or none where it is not shared.</summary>
    public IReadOnlyList<string> UsersOf(string volume) => [.. users[volume]];

    private void Read(ManifestEntry volume, ComposeFindings findings)
    {
        var options = volume.Value.Mapping();
        var isExternal = options.Find("external")?.Value is ManifestMapping || options.Find("external")?.Value.IsTrue() == true;
        if (isExternal || options.Find("name") is not null)
        {
            names[volume.Key] = ComposeText.Label(options.Text("name") ?? volume.Key);
        }

        if (isExternal)
        {
            findings.Notice(volume.Line, $"the volume '{volume.Key}' is {NameOf(volume.Key)} on the node; where it is not there yet it is made, and empty");
        }

        foreach (var entry in options.Entries.Where(entry => entry.Key is not ("name" or "external" or "labels") && !entry.Key.StartsWith("x-", StringComparison.Ordinal)))
        {
            if (entry.Key is not "driver" || entry.Value.Text() is not "local")
            {
                findings.Loss(entry.Line, $"volumes: {entry.Key} cannot be carried over");
            }
        }
    }

    private static string? SourceOf(ManifestNode volume)
    {
        (string? type, string? source) = volume is ManifestMapping map ? (map.Text("type") ?? "volume", map.Text("source"))
            : volume.Text().Split(':') is [var from, _, ..] ? ((string?)null, (string?)from) : (null, null);
        return source is { Length: > 0 } && type is null or "volume" && source[0] is not ('/' or '.' or '~') ? source : null;
    }
}
