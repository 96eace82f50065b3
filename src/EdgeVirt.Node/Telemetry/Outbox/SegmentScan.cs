namespace EdgeVirt.Node.Telemetry;

/// <summary>A run of whole records in a segment: where it lies, and its sequences.</summary>
internal readonly record struct RecordRun(int Offset, int Length, ulong First, ulong End);

/// <summary>What a walk over all bytes of a segment found.</summary>
internal sealed class SegmentScan
{
    /// <summary>Sequences may jump by no more than this between whole records: more than a segment can hold.</summary>
    private const ulong LongestJump = 1 << 20;

    private SegmentScan(List<RecordRun> runs, bool damaged, int wholeBytes)
    {
        Runs = runs;
        Damaged = damaged;
        WholeBytes = wholeBytes;
    }

    /// <summary>Whole records, in order.</summary>
    public IReadOnlyList<RecordRun> Runs { get; }

    /// <summary>Whether bytes that are no record lie before one that is, or a sequence was left out.</summary>
    public bool Damaged { get; }

    /// <summary>Where the last whole record ends. Bytes after it are room (all nought) or a torn write.</summary>
    public int WholeBytes { get; }

    /// <summary>One past the last whole record's sequence; <paramref name="first"/> when there is none.</summary>
    public ulong End(ulong first) => Runs.Count == 0 ? first : Runs[^1].End;

    public static SegmentScan Walk(ReadOnlySpan<byte> segment, ulong ordinal, ulong first, ulong end = ulong.MaxValue)
    {
        var runs = new List<RecordRun>();
        var damaged = false;
        var expected = first;
        var offset = OutboxFormat.RecordsStart;
        var skipped = false;
        var whole = Math.Min(offset, segment.Length);
        while (offset <= segment.Length - OutboxFormat.RecordOverhead && expected < end)
        {
            var rest = segment[offset..];
            if (!IsPlausible(rest, expected, end) || !OutboxFormat.TryReadRecord(rest, ordinal, out var sequence, out var length))
            {
                if (!skipped && rest.IndexOfAnyExcept((byte)0) < 0)
                {
                    break;
                }

                skipped = true;
                offset++;
                continue;
            }

            damaged |= skipped || sequence != expected;
            if (!skipped && sequence == expected && runs.Count > 0)
            {
                var run = runs[^1];
                runs[^1] = run with { Length = run.Length + length, End = sequence + 1 };
            }
            else
            {
                runs.Add(new RecordRun(offset, length, sequence, sequence + 1));
            }

            skipped = false;
            expected = sequence + 1;
            offset += length;
            whole = offset;
        }

        return new SegmentScan(runs, damaged, whole);
    }

    // Keeps the search for the next whole record cheap: hardly any wrong place gets as far as its checksum.
    private static bool IsPlausible(ReadOnlySpan<byte> bytes, ulong expected, ulong end)
    {
        var length = OutboxFormat.ClaimedLength(bytes);
        if (length == 0 || length > bytes.Length)
        {
            return false;
        }

        var sequence = OutboxFormat.ClaimedSequence(bytes);
        return sequence >= expected && sequence < end && sequence - expected <= LongestJump;
    }
}
