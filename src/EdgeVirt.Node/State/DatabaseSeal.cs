using System.IO.Hashing;
using System.Text;
using EdgeVirt.Linux;

namespace EdgeVirt.Node.State;

/// <summary>In which state the database file was left.</summary>
internal enum SealState
{
    /// <summary>There is no file.</summary>
    Missing,

    /// <summary>Closed, and byte for byte as it was closed.</summary>
    Sound,

    /// <summary>The agent ended while the file was open, in this very boot: its journal makes it whole.</summary>
    OpenInThisBoot,

    /// <summary>Power went while the file was open, or making it whole ended the agent: nothing can be said of its pages.</summary>
    Unfinished,

    /// <summary>Not as it was closed.</summary>
    Damaged,
}

/// <summary>
/// A checksum over the closed database, in a file beside it. LiteDB's pages carry none, and on damaged pages it may
/// throw in a finalizer, which ends the process: so it must never get to see one.
/// </summary>
internal sealed class DatabaseSeal(string database)
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private readonly string path = database + ".seal";
    private readonly string boot = SystemFacts.BootId ?? "unknown";

    /// <summary>Compares the database with its seal.</summary>
    public SealState Check()
    {
        if (!File.Exists(database))
        {
            return SealState.Missing;
        }

        var text = File.Exists(path) ? File.ReadAllText(path).Trim() : "";
        return text == $"open {boot}"
            ? SealState.OpenInThisBoot
            : text.StartsWith("open ", StringComparison.Ordinal) || text.StartsWith("recovering ", StringComparison.Ordinal)
                ? SealState.Unfinished
                : text == Fingerprint() ? SealState.Sound : SealState.Damaged;
    }

    /// <summary>To be called before the database is opened for writing.</summary>
    public void Open() => Write($"open {boot}");

    /// <summary>To be called before LiteDB makes a file whole that was left open.</summary>
    public void Recover() => Write($"recovering {boot}");

    /// <summary>To be called after the database was closed.</summary>
    public void Close()
    {
        if (File.Exists(database))
        {
            using (var file = File.Open(database, FileMode.Open, FileAccess.ReadWrite))
            {
                file.Flush(flushToDisk: true);
            }

            Write(Fingerprint());
        }
    }

    private string Fingerprint()
    {
        using var file = File.OpenRead(database);
        var hash = new XxHash128();
        hash.Append(file);
        return $"sealed {file.Length} {Convert.ToHexStringLower(hash.GetCurrentHash())}";
    }

    private void Write(string text) => DurableFile.Write(path, Encoding.ASCII.GetBytes(text + "\n"), OwnerOnly);
}
