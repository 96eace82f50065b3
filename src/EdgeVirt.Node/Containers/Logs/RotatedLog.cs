using EdgeVirt.Linux.Files;

namespace EdgeVirt.Node.Containers.Logs;

/// <summary>
/// The files of one run's log, while conmon writes it. When a file is full conmon opens <c>NAME.tmp</c>, which it makes if it
/// is not there, and renames it over NAME: what was there is lost. So each file has a second name here, its piece, and an
/// empty one stands ready as <c>NAME.tmp</c>, a piece already before conmon takes it. Lines are lost only when conmon fills
/// that one and the next too before <see cref="Settle"/> is called; the pieces' numbers then show it.
/// </summary>
/// <param name="live">NAME.</param>
/// <param name="directory">Where the pieces lie; on the same file system.</param>
internal sealed class RotatedLog(string live, string directory)
{
    private const string NextSuffix = ".tmp";
    private const int MostTries = 100;
    private const UnixFileMode Mode = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    private readonly Lock gate = new();

    private string Next => live + NextSuffix;

    /// <summary>Makes the first two files, before conmon is started.</summary>
    /// <exception cref="IOException">The disk refused.</exception>
    public void Begin()
    {
        lock (gate)
        {
            File.Delete(live);
            File.Delete(Next);
            var first = LogPieces.In(directory) is [.., var last] ? last.Number + 1 : 1;
            HardLinks.TryCreate(Create(first), live);
            HardLinks.TryCreate(Create(first + 1), Next);
        }
    }

    /// <summary>Takes in what conmon has begun, stands the next file ready, and removes what is too old.</summary>
    /// <param name="keep">How many files are kept, that which is being written among them.</param>
    /// <returns>False: lines may be lost.</returns>
    /// <exception cref="IOException">The disk refused.</exception>
    public bool Settle(int keep)
    {
        lock (gate)
        {
            return TakeIn(keep, goesOn: true);
        }
    }

    /// <summary>Leaves the pieces alone, without those that were not begun. conmon has ended.</summary>
    /// <param name="keep">See <see cref="Settle"/>.</param>
    /// <exception cref="IOException">The disk refused.</exception>
    public void End(int keep)
    {
        lock (gate)
        {
            if (Directory.Exists(directory))
            {
                TakeIn(keep, goesOn: false);
            }

            File.Delete(live);
            File.Delete(Next);
            foreach (var empty in LogPieces.In(directory).Where(piece => piece.Length == 0))
            {
                File.Delete(empty.Path);
            }
        }
    }

    private bool TakeIn(int keep, bool goesOn)
    {
        var isWhole = true;
        for (var tries = 0; tries < MostTries && HardLinks.Identify(live) is { } writing; tries++)
        {
            var pieces = LogPieces.In(directory);
            if (pieces.LastOrDefault(piece => writing.IsSameAs(HardLinks.Identify(piece.Path))) is not { } current)
            {
                isWhole &= !TakeUnforeseen(pieces);
                continue;
            }

            foreach (var old in pieces.Where(piece => piece.Number < current.Number).SkipLast(keep - 1))
            {
                File.Delete(old.Path);
            }

            if ((!goesOn || StandsReady(current, pieces)) && writing.IsSameAs(HardLinks.Identify(live)))
            {
                return isWhole;
            }
        }

        return isWhole;
    }

    // False: conmon turned meanwhile, to a file of its own perhaps. It must never lose the file of that name between opening
    // and renaming it, so this one is never removed while conmon runs, and given only to a piece that was not begun.
    private bool StandsReady(LogPiece current, IReadOnlyList<LogPiece> pieces)
    {
        if (File.Exists(Next))
        {
            return true;
        }

        var next = pieces.FirstOrDefault(piece => piece.Number > current.Number)?.Path;
        if (next is not null && !IsUnused(next))
        {
            return false;
        }

        next ??= Create(current.Number + 1);
        if (!HardLinks.TryCreate(next, Next))
        {
            return false;
        }

        if (HardLinks.Identify(live)?.IsSameAs(HardLinks.Identify(current.Path)) == true)
        {
            return true;
        }

        // Perhaps there was one of conmon's between the two. If it still is, there is a number for it.
        File.Move(next, LogPieces.PathOf(directory, current.Number + 3));
        return false;
    }

    // conmon filled what stood ready, or came before it could, and made a file itself: how many since, nobody knows.
    private bool TakeUnforeseen(IReadOnlyList<LogPiece> pieces)
    {
        var kept = pieces.Where(piece => !TryRemoveUnused(piece)).ToList();
        var ready = kept is [.., var newest] && HardLinks.Identify(newest.Path) is { Size: 0 } file && file.IsSameAs(HardLinks.Identify(Next)) ? newest : null;
        var before = kept.LastOrDefault(piece => piece != ready)?.Number;
        var number = before + 2 ?? 1;
        if (ready is not null && ready.Number <= number)
        {
            File.Move(ready.Path, LogPieces.PathOf(directory, number + 1));
        }

        var path = LogPieces.PathOf(directory, number);
        if (!HardLinks.TryCreate(live, path))
        {
            return false;
        }

        // It may have turned again, to what stood ready.
        var taken = HardLinks.Identify(path);
        if (LogPieces.In(directory).Any(piece => piece.Number != number && HardLinks.Identify(piece.Path)?.IsSameAs(taken) == true))
        {
            File.Delete(path);
            return false;
        }

        return before is not null;
    }

    private static bool IsUnused(string path) => HardLinks.Identify(path) is { Size: 0, Links: 1 };

    private static bool TryRemoveUnused(LogPiece piece)
    {
        if (!IsUnused(piece.Path))
        {
            return false;
        }

        File.Delete(piece.Path);
        return true;
    }

    private string Create(int number)
    {
        var path = LogPieces.PathOf(directory, number);
        new FileStream(path, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, BufferSize = 0, UnixCreateMode = Mode }).Dispose();
        return path;
    }
}
