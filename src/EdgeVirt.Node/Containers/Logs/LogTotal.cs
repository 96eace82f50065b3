namespace EdgeVirt.Node.Containers.Logs;

/// <summary>A piece on the disk, as <see cref="LogTotal"/> sees it.</summary>
/// <param name="Path">Where it is.</param>
/// <param name="Length">Bytes.</param>
/// <param name="WrittenAt">When it was written last.</param>
/// <param name="IsEnded">Its run has ended.</param>
/// <param name="IsOpen">It is being written, or stands ready to be.</param>
internal sealed record StoredPiece(string Path, long Length, DateTime WrittenAt, bool IsEnded, bool IsOpen);

/// <summary>What all logs of the node take together: each has its limits, but nobody limits how many there are.</summary>
internal static class LogTotal
{
    /// <summary>What has to go so that the rest fits: first of runs that ended, the oldest first. Never what is being written. Pure.</summary>
    public static IReadOnlyList<StoredPiece> Surplus(IReadOnlyCollection<StoredPiece> pieces, long most)
    {
        var over = pieces.Sum(piece => piece.Length) - most;
        var surplus = new List<StoredPiece>();
        foreach (var piece in pieces.Where(piece => !piece.IsOpen).OrderByDescending(piece => piece.IsEnded).ThenBy(piece => piece.WrittenAt))
        {
            if (over <= 0)
            {
                break;
            }

            over -= piece.Length;
            surplus.Add(piece);
        }

        return surplus;
    }

    /// <summary>All on the disk.</summary>
    public static IReadOnlyCollection<StoredPiece> Read(NodeDirectories directories, RecordStore records)
    {
        var all = new List<StoredPiece>();
        foreach (var record in records.Containers)
        {
            var pieces = LogPieces.In(directories.Container(record.Id));
            var isEnded = record.Exit is not null;
            // The newest with content is being written; what stands ready is empty.
            var open = isEnded || pieces.LastOrDefault(piece => piece.Length > 0) is not { } newest ? int.MaxValue : newest.Number;
            all.AddRange(pieces.Select(piece => new StoredPiece(piece.Path, piece.Length, File.GetLastWriteTimeUtc(piece.Path), isEnded, piece.Number >= open)));
        }

        return all;
    }
}
