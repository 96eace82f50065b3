using System.Globalization;

namespace EdgeVirt.Hub.Telemetry;

/// <summary>An inclusive range of sequences.</summary>
internal readonly record struct SequenceRange(ulong First, ulong Last);

/// <summary>
/// What the hub has of one stream of one node: the highest sequence, and the holes below it, which a batch that comes late may still fill. Immutable.
/// </summary>
internal sealed record StreamState
{
    /// <summary>More open holes than this are not kept: the oldest is given up, and what it held stays counted as missing.</summary>
    public const int MaxHoles = 256;

    public ulong High { get; init; }

    public IReadOnlyList<SequenceRange> Holes { get; init; } = [];

    /// <summary>Records in holes that are no longer kept open.</summary>
    public ulong GivenUp { get; init; }

    /// <summary>As the node says: dropped for want of room.</summary>
    public ulong Dropped { get; init; }

    /// <summary>As the node says: lost by damage.</summary>
    public ulong Lost { get; init; }

    /// <summary>Records that came but could not be read.</summary>
    public ulong Refused { get; init; }

    /// <summary>The boot whose begin is known, and its begin by the node's own clock, Unix milliseconds.</summary>
    public string BootId { get; init; } = "";

    public long BootTimeUnixMs { get; init; }

    /// <summary>Records that the hub will not get: the node's own count, or the holes seen here where they are more.</summary>
    public ulong Missing
    {
        get
        {
            var holes = GivenUp;
            foreach (var hole in Holes)
            {
                holes += hole.Last - hole.First + 1;
            }

            return Math.Max(Dropped + Lost, holes);
        }
    }

    /// <summary>Which of <paramref name="count"/> records from <paramref name="first"/> are new, and the state once they are stored.</summary>
    public (StreamState Next, IReadOnlyList<SequenceRange> New) Accept(ulong first, int count)
    {
        if (count == 0)
        {
            return (this, []);
        }

        var last = first + (ulong)count - 1;
        List<SequenceRange> fresh = [];
        List<SequenceRange> holes = [];
        foreach (var hole in Holes)
        {
            var from = Math.Max(hole.First, first);
            var to = Math.Min(hole.Last, last);
            if (from > to)
            {
                holes.Add(hole);
                continue;
            }

            fresh.Add(new SequenceRange(from, to));
            if (hole.First < from)
            {
                holes.Add(hole with { Last = from - 1 });
            }

            if (to < hole.Last)
            {
                holes.Add(hole with { First = to + 1 });
            }
        }

        if (last > High)
        {
            if (first > High + 1)
            {
                holes.Add(new SequenceRange(High + 1, first - 1));
            }

            fresh.Add(new SequenceRange(Math.Max(first, High + 1), last));
        }

        var givenUp = GivenUp;
        while (holes.Count > MaxHoles)
        {
            givenUp += holes[0].Last - holes[0].First + 1;
            holes.RemoveAt(0);
        }

        return (this with { High = Math.Max(High, last), Holes = holes, GivenUp = givenUp }, fresh);
    }

    /// <summary>Holes as text: <c>3-5,9-9</c>.</summary>
    public string WriteHoles() => string.Join(',', Holes.Select(hole => $"{hole.First}-{hole.Last}"));

    /// <summary>Reads what <see cref="WriteHoles"/> writes.</summary>
    public static IReadOnlyList<SequenceRange> ReadHoles(string text) =>
    [
        .. text.Split(',', StringSplitOptions.RemoveEmptyEntries).Select(part =>
        {
            var dash = part.IndexOf('-', StringComparison.Ordinal);
            return new SequenceRange(
                ulong.Parse(part.AsSpan(0, dash), CultureInfo.InvariantCulture), ulong.Parse(part.AsSpan(dash + 1), CultureInfo.InvariantCulture));
        }),
    ];
}
