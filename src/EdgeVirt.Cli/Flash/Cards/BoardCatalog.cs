using System.Reflection;
using EdgeVirt.Contracts.Boards;

namespace EdgeVirt.Cli.Flash.Cards;

/// <summary>Kinds of boards: those that this program was built with, or those in a directory laid out like the repository's <c>boards/</c>.</summary>
internal static class BoardCatalog
{
    private const string Prefix = "boards/";

    /// <summary>All of them, by name.</summary>
    /// <param name="directory">Where to look; null: what is built in.</param>
    /// <exception cref="CliException">The directory is not there, or a definition in it is not valid.</exception>
    public static IReadOnlyList<BoardDefinition> Read(string? directory)
    {
        var sources = directory is null ? BuiltIn() : InDirectory(directory);
        return [.. sources.Select(source => Parse(source.Name, source.Place, source.Bytes)).OrderBy(board => board.Name, StringComparer.Ordinal)];
    }

    private static IEnumerable<(string Name, string Place, byte[] Bytes)> BuiltIn()
    {
        var assembly = Assembly.GetExecutingAssembly();
        foreach (var resource in assembly.GetManifestResourceNames().Where(name => name.StartsWith(Prefix, StringComparison.Ordinal)))
        {
            using var stream = assembly.GetManifestResourceStream(resource)!;
            var bytes = new byte[stream.Length];
            stream.ReadExactly(bytes);
            yield return (resource.Split('/')[1], resource, bytes);
        }
    }

    private static IEnumerable<(string Name, string Place, byte[] Bytes)> InDirectory(string directory)
    {
        if (!Directory.Exists(directory))
        {
            throw new CliException(ExitCodes.NotFound, $"there is no directory '{directory}'.", "Give the directory that holds a directory per board, each with a board.json.");
        }

        foreach (var board in Directory.GetDirectories(directory))
        {
            var file = Path.Combine(board, BoardDefinitionFile.FileName);
            if (File.Exists(file))
            {
                yield return (Path.GetFileName(board), file, File.ReadAllBytes(file));
            }
        }
    }

    private static BoardDefinition Parse(string name, string place, byte[] bytes)
    {
        var read = BoardDefinitionFile.Read(bytes);
        if (read.Value is not { } board)
        {
            throw new CliException(ExitCodes.Invalid, $"'{place}' describes no board: {read.Faults}", "See boards/README.md and boards/board.schema.json.");
        }

        return board.Name == name ? board : throw new CliException(ExitCodes.Invalid, $"'{place}' has the name '{board.Name}'.", "A board has the name of its directory.");
    }
}
