using EdgeVirt.Contracts.Api;
using EdgeVirt.Contracts.Manifests;

namespace EdgeVirt.Cli.Manifests;

/// <summary>A file, or standard input.</summary>
/// <param name="Name">As a person wrote it, <c>&lt;stdin&gt;</c> for standard input.</param>
/// <param name="Text">Its content.</param>
internal sealed record ManifestSource(string Name, string Text);

/// <summary>A fault, and in which file it stands.</summary>
internal sealed record SourceError(string File, FieldError Error)
{
    /// <summary><c>file:line: field: reason</c>, which editors can jump to.</summary>
    public override string ToString() =>
        (Error.Line > 0 ? $"{File}:{Error.Line}: " : $"{File}: ") + (Error.Field.Length > 0 ? $"{Error.Field}: " : "") + Error.Reason +
        (Error.Document is { } document && Error.Line == 0 ? $" ({document})" : "");
}

/// <summary>
/// The files of one apply. They travel as one text, so that the hub takes all or nothing; its line numbers
/// lead back to the files.
/// </summary>
internal sealed class ManifestSources
{
    private static readonly string[] Extensions = [".yaml", ".yml", ".json"];
    private readonly IReadOnlyList<ManifestSource> sources;
    private readonly List<int> firstLines = [];

    public ManifestSources(IReadOnlyList<ManifestSource> sources)
    {
        this.sources = sources;
        Text = Join();
    }

    /// <summary>All of it as one text; a single file unchanged.</summary>
    public string Text { get; }

    /// <summary>Reads what <c>-f</c> names: files, folders (their .yaml, .yml and .json files, by name), or <c>-</c>.</summary>
    public static async Task<ManifestSources> ReadAsync(IEnumerable<string> paths, TextReader input, CancellationToken ct)
    {
        var sources = new List<ManifestSource>();
        foreach (var path in paths.Distinct())
        {
            if (path == "-")
            {
                sources.Add(new ManifestSource("<stdin>", await input.ReadToEndAsync(ct)));
            }
            else if (Directory.Exists(path))
            {
                var files = Directory.GetFiles(path).Where(file => Extensions.Contains(Path.GetExtension(file))).Order(StringComparer.Ordinal).ToList();
                if (files.Count == 0)
                {
                    throw new CliException(ExitCodes.NotFound, $"the folder '{path}' holds no .yaml, .yml or .json file.", "Name the files one by one if they are called otherwise.");
                }

                foreach (var file in files)
                {
                    sources.Add(await ReadFileAsync(file, ct));
                }
            }
            else
            {
                sources.Add(await ReadFileAsync(path, ct));
            }
        }

        return new ManifestSources(sources);
    }

    /// <summary>Checks every file by itself, then all together; empty if the hub may have it.</summary>
    public IReadOnlyList<SourceError> Check(out ManifestResult result)
    {
        var errors = sources.SelectMany(source => Manifest.Parse(source.Text).Errors.Select(error => new SourceError(source.Name, error))).ToList();
        result = new ManifestResult([], []);
        if (errors.Count == 0)
        {
            result = Manifest.Parse(Text);
            errors.AddRange(result.Errors.Select(Locate));
        }

        return errors;
    }

    /// <summary>The place in its file of a fault in <see cref="Text"/>.</summary>
    public SourceError Locate(FieldError error)
    {
        if (error.Line <= 0)
        {
            return new SourceError(sources.Count == 1 ? sources[0].Name : "manifests", error);
        }

        var index = Math.Max(0, firstLines.FindLastIndex(first => first <= error.Line));
        return new SourceError(sources[index].Name, error with { Line = error.Line - firstLines[index] + 1 });
    }

    private string Join()
    {
        if (sources.Count == 1)
        {
            firstLines.Add(1);
            return sources[0].Text;
        }

        var text = new System.Text.StringBuilder();
        var line = 1;
        foreach (var source in sources)
        {
            // "..." ends a document for good, so that a file may begin with a directive or with "---".
            var head = text.Length == 0 ? "" : source.Text.StartsWith('%') ? "...\n" : "...\n---\n";
            var body = source.Text.EndsWith('\n') ? source.Text : source.Text + "\n";
            text.Append(head).Append(body);
            line += head.AsSpan().Count('\n');
            firstLines.Add(line);
            line += body.AsSpan().Count('\n');
        }

        return text.ToString();
    }

    private static async Task<ManifestSource> ReadFileAsync(string path, CancellationToken ct)
    {
        try
        {
            return new ManifestSource(path, await File.ReadAllTextAsync(path, ct));
        }
        catch (Exception absent) when (absent is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new CliException(ExitCodes.NotFound, $"there is no file '{path}'.", "Give -f the path of a file or folder, or - for standard input.");
        }
    }
}
