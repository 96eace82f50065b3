namespace EdgeVirt.Node.Containers.Images.Deltas;

/// <summary>A part of a blob.</summary>
/// <param name="Start">Of its first byte.</param>
/// <param name="End">After its last byte.</param>
internal readonly record struct ByteRange(long Start, long End)
{
    public long Length => End - Start;

    /// <summary>
    /// In order, those that lie close together made one: what lies between two ranges is fetched too where that costs less than
    /// another request, and where there would be more requests than <paramref name="most"/>.
    /// </summary>
    /// <param name="ranges">In any order; empty ones are left out.</param>
    /// <param name="gap">Bytes that a request costs.</param>
    /// <param name="most">Most ranges that may be left.</param>
    public static List<ByteRange> Join(IEnumerable<ByteRange> ranges, long gap, int most)
    {
        List<ByteRange> joined = [.. ranges.Where(range => range.Length > 0).OrderBy(range => range.Start)];
        for (joined = JoinOnce(joined, gap); joined.Count > most; joined = JoinOnce(joined, gap))
        {
            gap *= 2;
        }

        return joined;
    }

    private static List<ByteRange> JoinOnce(List<ByteRange> ranges, long gap)
    {
        List<ByteRange> joined = [];
        foreach (var range in ranges)
        {
            if (joined.Count > 0 && range.Start - joined[^1].End <= gap)
            {
                joined[^1] = joined[^1] with { End = Math.Max(joined[^1].End, range.End) };
            }
            else
            {
                joined.Add(range);
            }
        }

        return joined;
    }
}
