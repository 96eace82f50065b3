using System.Globalization;

namespace EdgeVirt.Node.Containers.Logs;

/// <summary>One file of a log.</summary>
/// <param name="Number">Counts up from 1 over the run. Where a number is left out, lines may be lost.</param>
/// <param name="Path">Where it is.</param>
/// <param name="Length">Bytes, when it was looked at. One that is empty is not begun.</param>
internal sealed record LogPiece(int Number, string Path, long Length)
{
    /// <summary>Where it is if it has left <see cref="Path"/> since; null: nowhere.</summary>
    public string? PathAfter { get; init; }
}

/// <summary>The files of one run's log: <c>ctr.log.1</c> is the first, the highest number the newest.</summary>
internal static class LogPieces
{
    private const string Prefix = "ctr.log.";

    public static string PathOf(string directory, int number) => Path.Combine(directory, Prefix + number.ToString(CultureInfo.InvariantCulture));

    /// <summary>Where a piece lies that has no number yet. It is not one of those that are listed.</summary>
    public static string UnnumberedIn(string directory) => Path.Combine(directory, Prefix + "new");

    /// <summary>All of a run, on disk and in memory, the oldest first.</summary>
    public static IReadOnlyList<LogPiece> Of(string id, NodeDirectories directories)
    {
        // First those in memory: what leaves it is on the disk by then.
        var memory = In(directories.MemoryPieces(id));
        var disk = In(directories.Container(id));
        return memory.Count == 0
            ? disk
            : [.. disk.ExceptBy(memory.Select(piece => piece.Number), piece => piece.Number)
                .Concat(memory.Select(piece => piece with { PathAfter = PathOf(directories.Container(id), piece.Number) }))
                .OrderBy(piece => piece.Number)];
    }

    /// <summary>All in a directory, the oldest first; none where it is gone.</summary>
    public static IReadOnlyList<LogPiece> In(string directory)
    {
        try
        {
            return [.. new DirectoryInfo(directory).EnumerateFiles(Prefix + "*").Select(TryRead).OfType<LogPiece>().OrderBy(piece => piece.Number)];
        }
        catch (DirectoryNotFoundException)
        {
            return [];
        }
    }

    private static LogPiece? TryRead(FileInfo file)
    {
        try
        {
            return int.TryParse(file.Name.AsSpan(Prefix.Length), NumberStyles.None, CultureInfo.InvariantCulture, out var number)
                ? new LogPiece(number, file.FullName, file.Length)
                : null;
        }
        catch (FileNotFoundException)
        {
            // Removed since: its time was over.
            return null;
        }
    }
}
