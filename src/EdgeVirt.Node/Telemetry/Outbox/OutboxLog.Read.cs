using System.Buffers;

namespace EdgeVirt.Node.Telemetry;

/// <summary>Records in order and without a hole, ready to be sent. Disposing gives its buffer back.</summary>
internal sealed class OutboxBatch(byte[] buffer) : IDisposable
{
    private readonly List<ReadOnlyMemory<byte>> records = [];

    public required Guid Stream { get; init; }

    public required ulong FirstSequence { get; init; }

    /// <summary>Payloads as they were appended; valid until the batch is disposed.</summary>
    public IReadOnlyList<ReadOnlyMemory<byte>> Records => records;

    /// <summary>Dropped for want of room in this stream, since it began.</summary>
    public required ulong Dropped { get; init; }

    /// <summary>Lost by damage in this stream, since it began.</summary>
    public required ulong Lost { get; init; }

    /// <summary>Where the next batch begins.</summary>
    public OutboxPosition End { get; set; }

    public void Add(int offset, int length) => records.Add(buffer.AsMemory(offset, length));

    public void Dispose()
    {
        records.Clear();
        ArrayPool<byte>.Shared.Return(buffer);
    }
}

internal sealed partial class OutboxLog
{
    /// <summary>
    /// Durable records after <paramref name="after"/> (null: after the last acknowledgement), up to both bounds but at
    /// least one; null when there are none. A damaged segment on the way is salvaged and its losses counted.
    /// </summary>
    public OutboxBatch? Peek(OutboxPosition? after, int maxRecords, int maxBytes)
    {
        lock (gate)
        {
            var position = after is { } given && !IsBehind(given) ? given : acknowledged;
            foreach (var segment in segments.ToArray())
            {
                if (segment.Ordinal < position.Ordinal)
                {
                    continue;
                }

                // What was salvaged lies elsewhere than it did, so there the sequence alone counts.
                var from = segment.Ordinal == position.Ordinal && !segment.Salvaged ? position.Offset : OutboxFormat.RecordsStart;
                var expected = segment.Stream == position.Stream ? Math.Max(segment.First, position.Sequence + 1) : segment.First;
                var batch = ReadFrom(segment, from, expected, maxRecords, maxBytes);
                if (batch is not null)
                {
                    return batch;
                }
            }

            return null;
        }
    }

    /// <summary>Lets go of everything up to the end of <paramref name="batch"/>. Returns whether the cursor waits to be written.</summary>
    public bool Acknowledge(OutboxBatch batch)
    {
        lock (gate)
        {
            if (IsBehind(batch.End))
            {
                return cursorDirty;
            }

            acknowledged = batch.End;
            if (batch.Dropped > 0 || batch.Lost > 0)
            {
                var counts = cursor.CountsOf(batch.Stream);
                counts.ReportedDropped = Math.Max(counts.ReportedDropped, batch.Dropped);
                counts.ReportedLost = Math.Max(counts.ReportedLost, batch.Lost);
            }

            cursorDirty = true;
            List<ulong> gone = [];
            while (segments.Count > 1 && IsDone(segments[0]))
            {
                Leave(segments[0], gone);
            }

            if (gone.Count > 0)
            {
                TryWriteCursor();
                DeleteFiles(gone);
            }

            return cursorDirty;
        }
    }

    /// <summary>Lets go of everything up to the end of <paramref name="batch"/> and counts its records as lost. Returns as <see cref="Acknowledge"/> does.</summary>
    public bool GiveUp(OutboxBatch batch)
    {
        lock (gate)
        {
            if (!IsBehind(batch.End))
            {
                cursor.CountsOf(batch.Stream).Lost += (ulong)batch.Records.Count;
            }

            return Acknowledge(batch);
        }
    }

    private bool IsDone(Segment segment) =>
        segment.Ordinal < acknowledged.Ordinal
        || (segment.Stream == acknowledged.Stream && acknowledged.Sequence + 1 >= segment.End);

    private bool IsBehind(OutboxPosition position) =>
        position.Ordinal < acknowledged.Ordinal
        || (position.Stream == acknowledged.Stream && position.Sequence <= acknowledged.Sequence)
        || (segments.Count > 0 && position.Ordinal < segments[0].Ordinal);

    private OutboxBatch? ReadFrom(Segment segment, long from, ulong expected, int maxRecords, int maxBytes)
    {
        var healed = false;
        while (expected < segment.End)
        {
            var (batch, next) = Read(segment, from, expected, maxRecords, maxBytes);
            if (batch is not null)
            {
                return batch;
            }

            if (next < segment.Bytes)
            {
                from = next.Value;
                continue;
            }

            if (next is not null && segment.Salvaged)
            {
                // Read to its end; what is missing there is counted already.
                return null;
            }

            if ((segment.Salvaged && healed) || !Heal(segment))
            {
                return null;
            }

            healed = true;
            from = OutboxFormat.RecordsStart;
        }

        return null;
    }

    /// <summary>Reads one window. No batch and a place: look there. No batch and no place: the bytes are not what they should be.</summary>
    private (OutboxBatch? Batch, long? Next) Read(Segment segment, long from, ulong expected, int maxRecords, int maxBytes)
    {
        var window = (int)Math.Min(Math.Max(0, segment.Bytes - from), Math.Max(maxBytes, OutboxFormat.MaxPayloadBytes + OutboxFormat.RecordOverhead));
        var buffer = ArrayPool<byte>.Shared.Rent(Math.Max(window, 1));
        OutboxBatch? batch = null;
        var read = ReadSegment(segment, from, buffer.AsSpan(0, window));
        var at = 0;
        var size = 0;
        while (expected < segment.End && OutboxFormat.TryReadRecord(buffer.AsSpan(at, read - at), segment.Ordinal, out var sequence, out var length))
        {
            if (sequence > expected && !segment.Salvaged)
            {
                break;
            }

            if (sequence >= expected)
            {
                if (batch is not null && (batch.Records.Count >= maxRecords || size + length > maxBytes || sequence != expected))
                {
                    break;
                }

                batch ??= Begin(buffer, segment.Stream, sequence);
                batch.Add(at + OutboxFormat.RecordOverhead, length - OutboxFormat.RecordOverhead);
                batch.End = new OutboxPosition(segment.Ordinal, from + at + length, segment.Stream, sequence);
                size += length;
                expected = sequence + 1;
            }

            at += length;
        }

        if (batch is not null)
        {
            return (batch, null);
        }

        ArrayPool<byte>.Shared.Return(buffer);
        return (null, at > 0 || window == 0 ? from + at : null);
    }

    private OutboxBatch Begin(byte[] buffer, Guid batchStream, ulong sequence)
    {
        var counts = cursor.Streams.Find(candidate => candidate.Stream == batchStream);
        var lost = counts?.Lost ?? 0;
        foreach (var segment in segments)
        {
            lost += segment.Stream == batchStream ? segment.Lost : 0;
        }

        return new OutboxBatch(buffer) { Stream = batchStream, FirstSequence = sequence, Dropped = counts?.Dropped ?? 0, Lost = lost };
    }

    private int ReadSegment(Segment segment, long from, Span<byte> target)
    {
        try
        {
            using var file = storage.Open(OutboxFormat.SegmentName(segment.Ordinal), create: false);
            return file.Read(from, target);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            DiskFailed(logger, e);
            return 0;
        }
    }
}
