using EdgeVirt.Linux.Files;

namespace EdgeVirt.Node.Containers.Logs;

/// <summary>
/// The files of one run's log, while conmon writes it. When a file is full conmon opens <c>NAME.tmp</c>, which it makes if it
/// is not there, and renames it over NAME: what was there is lost. So each file has a second name here, its piece, and an
/// empty one stands ready as <c>NAME.tmp</c>, a piece already before conmon takes it. Lines are lost only when conmon fills
/// that one and the next too before <see cref="Settle"/> is called; the pieces' numbers then show it. A number is final: what
/// has none yet, because it is not known what was before it, lies beside the pieces where nobody reads it.
/// </summary>
/// <param name="live">NAME.</param>
/// <param name="directory">Where the pieces lie; on the same file system.</param>
internal sealed class RotatedLog(string live, string directory)
{
    private const string NextSuffix = ".tmp";
    private const int MostTries = 100;
    private const UnixFileMode Mode = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    private readonly Lock gate = new();
    private bool hasLeft;

    private string Next => live + NextSuffix;

    private string Unnumbered => LogPieces.UnnumberedIn(directory);

    /// <summary>Makes the first two files, before conmon is started.</summary>
    /// <exception cref="IOException">The disk refused.</exception>
    public void Begin()
    {
        lock (gate)
        {
            File.Delete(live);
            File.Delete(Next);
            File.Delete(Unnumbered);
            var first = LogPieces.In(directory) is [.., var last] ? last.Number + 1 : 1;
            HardLinks.TryCreate(Create(LogPieces.PathOf(directory, first)), live);
            HardLinks.TryCreate(Create(LogPieces.PathOf(directory, first + 1)), Next);
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
            return hasLeft || TakeIn(keep, goesOn: true);
        }
    }

    /// <summary>Leaves all as it is from now on, for the next agent; <see cref="Settle"/> does nothing any more. Waits for one that is under way.</summary>
    public void Leave()
    {
        lock (gate)
        {
            hasLeft = true;
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
                File.Delete(Unnumbered);
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
        NumberWhatWasLeft();
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

    // An agent that was killed meanwhile.
    private void NumberWhatWasLeft()
    {
        if (HardLinks.Identify(Unnumbered) is not null && !TryRemoveUnused(Unnumbered))
        {
            Number(LogPieces.In(directory) is [.., var last] ? last : null);
        }
    }

    // False: conmon turned meanwhile, to a file of its own perhaps. It must never lose the file of that name between opening
    // and renaming it, so this one is never removed while conmon runs, and given only to a file that was not begun.
    private bool StandsReady(LogPiece current, IReadOnlyList<LogPiece> pieces)
    {
        if (File.Exists(Next))
        {
            return true;
        }

        if (pieces.Any(piece => piece.Number > current.Number && !TryRemoveUnused(piece.Path)))
        {
            return false;
        }

        if (!HardLinks.TryCreate(IsUnused(Unnumbered) ? Unnumbered : Create(Unnumbered), Next))
        {
            return false;
        }

        return Number(current);
    }

    // Of what follows a piece. False: perhaps there was one of conmon's between the two; if it still is, there is a number for it.
    private bool Number(LogPiece? before)
    {
        var follows = before is null || HardLinks.Identify(live)?.IsSameAs(HardLinks.Identify(before.Path)) == true;
        File.Move(Unnumbered, LogPieces.PathOf(directory, (before?.Number ?? 0) + (follows ? 1 : 3)));
        return follows;
    }

    // conmon filled what stood ready, or came before it could, and made a file itself: how many since, nobody knows.
    private bool TakeUnforeseen(IReadOnlyList<LogPiece> pieces)
    {
        TryRemoveUnused(Unnumbered);
        var kept = pieces.Where(piece => !TryRemoveUnused(piece.Path)).ToList();
        var ready = kept is [.., var newest] && HardLinks.Identify(newest.Path) is { Size: 0 } file && file.IsSameAs(HardLinks.Identify(Next)) ? newest : null;
        var before = kept.LastOrDefault(piece => piece != ready)?.Number;
        var number = before + 2 ?? 1;
        if (ready is not null && ready.Number <= number)
        {
            File.Move(ready.Path, LogPieces.PathOf(directory, number + 1));
        }

        if (!HardLinks.TryCreate(live, Unnumbered))
        {
            return false;
        }

        // It may have turned again, to what stood ready.
        var taken = HardLinks.Identify(Unnumbered);
        if (LogPieces.In(directory).Any(piece => HardLinks.Identify(piece.Path)?.IsSameAs(taken) == true))
        {
            File.Delete(Unnumbered);
            return false;
        }

        File.Move(Unnumbered, LogPieces.PathOf(directory, number));
        return before is not null;
    }

    private static bool IsUnused(string path) => HardLinks.Identify(path) is { Size: 0, Links: 1 };

    private static bool TryRemoveUnused(string path)
    {
        if (!IsUnused(path))
        {
            return false;
        }

        File.Delete(path);
        return true;
    }

    private static string Create(string path)
    {
        new FileStream(path, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, BufferSize = 0, UnixCreateMode = Mode }).Dispose();
        return path;
    }
}
