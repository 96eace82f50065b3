using System.Globalization;
using System.Text;

namespace EdgeVirt.Node.Containers.Images.Deltas;

/// <summary>
/// Entries whose headers lie between two contents, the last of them that of the second content's file; and whether each of them is one
/// block whose fields all follow from the table of contents and from another entry of the same owner.
/// </summary>
internal sealed class GapEntries
{
    /// <summary>Most entries that are kept; with more, the frames are fetched.</summary>
    private const int MaxEntries = 2000;

    private const int MaxName = 100;
    private const long MaxOwner = (1L << 21) - 1;
    private const long MaxElevenDigits = (1L << 33) - 1;

    private readonly List<ContentsEntry> _entries = [];

    /// <summary>Empty where <see cref="IsPlain"/> is not so.</summary>
    public IReadOnlyList<ContentsEntry> Entries => _entries;

    /// <summary>Whether all of them are such.</summary>
    public bool IsPlain { get; private set; } = true;

    public void Add(ContentsEntry entry)
    {
        IsPlain &= _entries.Count < MaxEntries && IsPlainEntry(entry);
        if (IsPlain)
        {
            _entries.Add(entry);
        }
        else
        {
            _entries.Clear();
        }
    }

    public void Clear()
    {
        _entries.Clear();
        IsPlain = true;
    }

    /// <summary>Seconds since 1970; null: it has no whole number of them.</summary>
    public static long? SecondsOf(string? time) =>
        DateTimeOffset.TryParseExact(time, "yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var moment) ? moment.ToUnixTimeSeconds() : null;

    private static bool IsPlainEntry(ContentsEntry entry) =>
        entry.Type is "reg" or "dir" or "symlink" or "hardlink" or "fifo"
        && entry.Name is { Length: > 0 and <= MaxName } && Ascii.IsValid(entry.Name)
        && entry.LinkName is null or { Length: <= MaxName } && Ascii.IsValid(entry.LinkName ?? "")
        && entry.Uid is >= 0 and <= MaxOwner && entry.Gid is >= 0 and <= MaxOwner && entry.Mode is >= 0 and <= MaxOwner
        && entry.Size is >= 0 and <= MaxElevenDigits && SecondsOf(entry.Modtime) is >= 0 and <= MaxElevenDigits
        && entry.Xattrs is null or { Count: 0 } && IsNoTime(entry.Accesstime) && IsNoTime(entry.Changetime);

    private static bool IsNoTime(string? time) => time is null || time.StartsWith("0001-01-01T00:00:00", StringComparison.Ordinal);
}
