using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Cli.Interactive;

/// <summary>One side of a copy.</summary>
/// <param name="Workload">Null: a path on this machine.</param>
/// <param name="Container">Empty: the only one.</param>
/// <param name="Path">The path.</param>
internal sealed record CopyPath(string? Workload, string Container, string Path)
{
    /// <summary><c>WORKLOAD[/CONTAINER]:PATH</c>, or a path on this machine; one that looks like the former is written <c>./…</c>.</summary>
    /// <exception cref="CliException">The path is missing.</exception>
    public static CopyPath Parse(string text)
    {
        var colon = text.IndexOf(':', StringComparison.Ordinal);
        var names = colon < 0 ? [] : text[..colon].Split('/');
        if (names.Length is 0 or > 2 || names.Any(name => ResourceName.Problem(name) is not null))
        {
            return text.Length > 0 ? new CopyPath(null, "", text) : throw new CliException(ExitCodes.Usage, "a path is empty.", "Write PATH, or WORKLOAD:PATH.");
        }

        var path = text[(colon + 1)..];
        return path.Length > 0
            ? new CopyPath(names[0], names.Length > 1 ? names[1] : "", path)
            : throw new CliException(ExitCodes.Usage, $"'{text}' names no path in the container.", $"Write {text}/PATH.");
    }
}
