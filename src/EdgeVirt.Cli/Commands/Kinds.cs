using System.CommandLine;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Cli.Commands;

/// <summary>Kinds on the command line: any case, singular or plural.</summary>
internal static class Kinds
{
    public const string ArgumentName = "kind";

    public static IEnumerable<string> Words => ResourceKind.All.Select(kind => kind.Plural);

    public static Argument<string> Argument() => new(ArgumentName) { Description = $"One of {string.Join(", ", Words)}" };

    public static ResourceKind Parse(string word)
    {
        if (ResourceKind.Find(word) is { } kind)
        {
            return kind;
        }

        var near = Suggestion.Near(word, ResourceKind.All.SelectMany(known => new[] { known.Plural, known.Name.ToLowerInvariant() }));
        throw new CliException(
            ExitCodes.Usage,
            $"there is no kind '{word}'.",
            (near is null ? "" : $"Did you mean '{near}'? ") + $"Kinds are {string.Join(", ", Words)}.");
    }

    public static CliException NotFound(ResourceKind kind, string name) => new(
        ExitCodes.NotFound,
        $"there is no {kind.Name} '{name}'.",
        $"'edgevirt get {kind.Plural}' shows what there is.");
}
