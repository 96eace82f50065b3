using System.Diagnostics.CodeAnalysis;
using System.Text.RegularExpressions;

namespace EdgeVirt.Contracts.Resources;

/// <summary>
/// Where an image is: <c>host[:port]/repository[:tag][@digest]</c> (grammar of the OCI distribution
/// specification; the host must be stated), or <c>oci:/absolute/path[:tag]</c> for an OCI layout on the node.
/// </summary>
public sealed partial record ImageReference
{
    /// <summary>Registry host with optional port; null for an OCI layout.</summary>
    public string? Registry { get; init; }

    /// <summary>Repository at the registry, or path of the OCI layout.</summary>
    public required string Repository { get; init; }

    /// <summary>Tag; null when only a digest is given.</summary>
    public string? Tag { get; init; }

    /// <summary><c>sha256:</c> and 64 hexadecimal digits; null when only a tag is given.</summary>
    public string? Digest { get; init; }

    /// <summary>Whether it is an OCI layout on the node's disk.</summary>
    public bool IsLayout => Registry is null;

    /// <summary>The text it was read from, with an implied tag added.</summary>
    public override string ToString() =>
        (IsLayout ? $"oci:{Repository}" : $"{Registry}/{Repository}") +
        (Tag is null ? "" : $":{Tag}") + (Digest is null ? "" : $"@{Digest}");

    /// <summary>Reads a reference; the tag is <c>latest</c> where neither tag nor digest is given.</summary>
    /// <param name="text">The reference.</param>
    /// <param name="reference">What it says.</param>
    /// <param name="problem">What is wrong with it and what to write instead.</param>
    public static bool TryParse(string text, [NotNullWhen(true)] out ImageReference? reference, [NotNullWhen(false)] out string? problem)
    {
        reference = null;
        problem = null;
        if (LayoutGrammar().Match(text) is { Success: true } layout)
        {
            var path = layout.Groups["path"].Value;
            if (path.Split('/').Contains(".."))
            {
                problem = "the layout's path must not contain '..'";
                return false;
            }

            reference = new ImageReference { Repository = path, Tag = Optional(layout, "tag") ?? "latest" };
            return true;
        }

        var match = RegistryGrammar().Match(text);
        if (!match.Success)
        {
            problem = text.Contains('/', StringComparison.Ordinal)
                ? $"'{text}' is no image reference; write host[:port]/repository:tag or host[:port]/repository@sha256:…"
                : $"'{text}' names no registry; write host[:port]/{text}";
            return false;
        }

        var digest = Optional(match, "digest");
        reference = new ImageReference
        {
            Registry = match.Groups["host"].Value,
            Repository = match.Groups["repository"].Value,
            Tag = Optional(match, "tag") ?? (digest is null ? "latest" : null),
            Digest = digest,
        };
        return true;
    }

    private static string? Optional(Match match, string group) => match.Groups[group] is { Success: true } found ? found.Value : null;

    [GeneratedRegex(@"^oci:(?<path>/[^:@\0]+)(:(?<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?$")]
    private static partial Regex LayoutGrammar();

    [GeneratedRegex(@"^(?<host>(localhost|\[[0-9a-fA-F:]+\]|[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+|[A-Za-z0-9-]+(?=:))(:[0-9]{1,5})?)/(?<repository>[a-z0-9]+([._-]+[a-z0-9]+)*(/[a-z0-9]+([._-]+[a-z0-9]+)*)*)(:(?<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?(@(?<digest>sha256:[0-9a-f]{64}))?$")]
    private static partial Regex RegistryGrammar();
}
