using EdgeVirt.Contracts.Protos;

namespace EdgeVirt.Node.Containers.Logs;

/// <summary>Reads one run's log from where the last reading ended, over its pieces, also while they turn over.</summary>
/// <param name="list">The pieces that there are now, the oldest first.</param>
internal sealed class LogReader(Func<IReadOnlyList<LogPiece>> list) : IDisposable
{
    private const int BufferSize = 64 << 10;

    private readonly byte[] buffer = new byte[BufferSize];
    private FileStream? file;
    private int number;
    private long position;
    private bool isMissing;

    /// <summary>Makes the next reading begin with the last <paramref name="count"/> lines of all pieces.</summary>
    public void SeekToTail(long count)
    {
        var left = count;
        foreach (var piece in list().Where(piece => piece.Length > 0).Reverse())
        {
            if (Open(piece) is not { } opened)
            {
                break;
            }

            file?.Dispose();
            (file, number) = (opened, piece.Number);
            (position, var found) = TailOf(file, left);
            left -= found;
            if (left == 0)
            {
                break;
            }
        }
    }

    /// <summary>Whole lines that were not read yet. Lines that are damaged are left out; where some may be missing a message says so.</summary>
    public IEnumerable<LogLine> ReadNew()
    {
        while (file is not null || TryOpenNext())
        {
            foreach (var line in ReadToEnd(file!))
            {
                yield return line;
            }

            if (Successor() is null)
            {
                yield break;
            }

            // What was written between the end of the reading and the beginning of the next piece.
            foreach (var line in ReadToEnd(file!))
            {
                yield return line;
            }

            file!.Dispose();
            file = null;
        }
    }

    public void Dispose() => file?.Dispose();

    private LogPiece? Successor()
    {
        var after = After();
        // Both may have been begun while they were looked at, the earlier one just after its turn.
        after = after is [{ Length: 0 }, ..] && after.Any(piece => piece.Length > 0) ? After() : after;
        return after.FirstOrDefault(piece => piece.Length > 0);

        List<LogPiece> After() => [.. list().Where(piece => piece.Number > number)];
    }

    private bool TryOpenNext()
    {
        while (Successor() is { } next)
        {
            file = Open(next);
            if (file is null)
            {
                // Too old since.
                continue;
            }

            isMissing |= number != 0 && next.Number != number + 1;
            (number, position) = (next.Number, 0);
            return true;
        }

        return false;
    }

    private static FileStream? Open(LogPiece piece) => Open(piece.Path) ?? (piece.PathAfter is { } after ? Open(after) : null);

    private static FileStream? Open(string path)
    {
        try
        {
            return new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
    }

    private IEnumerable<LogLine> ReadToEnd(FileStream from)
    {
        using var line = new MemoryStream();
        foreach (var end in LinesOf(from, position, line))
        {
            position = end;
            if (!LogLines.TryParse(line.GetBuffer().AsSpan(0, (int)line.Length), out var parsed))
            {
                continue;
            }

            if (isMissing)
            {
                isMissing = false;
                yield return new LogLine { TimeUnixNs = parsed.TimeUnixNs, Missing = true };
            }

            yield return parsed;
        }
    }

    private (long Position, long Found) TailOf(FileStream from, long count)
    {
        var all = EndsOf(from).LongCount();
        return all <= count ? (0, all) : (EndsOf(from).ElementAt((int)(all - count - 1)), count);
    }

    // conmon cuts lines where it read them; a line ends where the last part of it does.
    private IEnumerable<long> EndsOf(FileStream from)
    {
        using var line = new MemoryStream();
        var open = 0L;
        foreach (var end in LinesOf(from, 0, line))
        {
            open = LogLines.GoesOn(line.GetBuffer().AsSpan(0, (int)line.Length)) ? end : 0;
            if (open == 0)
            {
                yield return end;
            }
        }

        if (open > 0)
        {
            yield return open;
        }
    }

    // Gives where the next line begins, while the line itself is in the stream without its newline.
    private IEnumerable<long> LinesOf(FileStream from, long begin, MemoryStream line)
    {
        from.Position = begin;
        line.SetLength(0);
        int read;
        while ((read = from.Read(buffer)) > 0)
        {
            var at = 0;
            for (var newline = Array.IndexOf(buffer, (byte)'\n', 0, read); newline >= 0; newline = Array.IndexOf(buffer, (byte)'\n', at, read - at))
            {
                line.Write(buffer, at, newline - at);
                begin += line.Length + 1;
                yield return begin;
                line.SetLength(0);
                at = newline + 1;
            }

            line.Write(buffer, at, read - at);
        }
    }
}
