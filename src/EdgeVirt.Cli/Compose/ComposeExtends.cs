using EdgeVirt.Contracts.Manifests;

namespace EdgeVirt.Cli.Compose;

/// <summary><c>extends</c>: a service takes over what another one says, of the same file or of one beside it.</summary>
internal sealed class ComposeExtends(string folder, Func<string, ManifestMapping> read, ComposeFindings findings)
{
    private const int MostSteps = 16;

    /// <summary>The services with all that they extend in them.</summary>
    public ManifestMapping Resolve(ManifestMapping services) =>
        services with { Entries = [.. services.Entries.Select(entry => entry with { Value = Resolve(entry.Key, entry.Value.Mapping(), services, MostSteps) })] };

    private ManifestMapping Resolve(string name, ManifestMapping service, ManifestMapping services, int steps)
    {
        if (service.Find("extends") is not { } extends)
        {
            return service;
        }

        var own = service with { Entries = [.. service.Entries.Where(entry => entry.Key != "extends")] };
        var (from, file) = extends.Value is ManifestScalar scalar ? (scalar.Text, null) : (extends.Value.Mapping().Text("service"), extends.Value.Mapping().Text("file"));
        if (file is not null)
        {
            var path = Path.GetFullPath(file, folder);
            if (Path.GetDirectoryName(path) != folder.TrimEnd('/'))
            {
                findings.Loss(extends.Line, $"services.{name}.extends cannot be carried over: '{file}' is in another folder, to which its paths would be relative");
                return own;
            }

            services = read(path).Find("services")?.Value.Mapping() ?? new ManifestMapping(extends.Line, []);
        }

        if (from is null || services.Find(from) is not { } other || steps == 0)
        {
            findings.Loss(extends.Line, $"services.{name}.extends cannot be carried over: {(steps == 0 ? "services extend each other in a circle" : $"there is no service '{from}'")}");
            return own;
        }

        // What is started before it, and what it shares with others, is not inherited (Compose specification, extends).
        var inherited = Resolve(from, other.Value.Mapping(), services, steps - 1);
        inherited = inherited with { Entries = [.. inherited.Entries.Where(entry => entry.Key is not ("depends_on" or "profiles" or "links"))] };
        return (ManifestMapping)Merge(inherited, own, "");
    }

    // Mappings are merged, lists put together, anything else replaced.
    private static ManifestNode Merge(ManifestNode under, ManifestNode over, string key) => (under, over) switch
    {
        (ManifestMapping below, ManifestMapping above) => above with
        {
            Entries =
            [
                .. below.Entries.Select(entry => above.Find(entry.Key) is { } other ? other with { Value = Merge(entry.Value, other.Value, entry.Key) } : entry),
                .. above.Entries.Where(entry => below.Find(entry.Key) is null),
            ],
        },
        (ManifestSequence below, ManifestSequence above) when key is not ("command" or "entrypoint" or "test") => above with
        {
            Items = [.. below.Items.Where(item => item is not ManifestScalar scalar || !above.Items.Any(other => other is ManifestScalar same && same.Text == scalar.Text)), .. above.Items],
        },
        _ => over,
    };
}
