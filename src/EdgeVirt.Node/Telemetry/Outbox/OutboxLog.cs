using Microsoft.Extensions.Logging;

namespace EdgeVirt.Node.Telemetry;

/// <summary>How large the outbox may become, and how it is cut.</summary>
internal sealed record OutboxLimits(long MaxBytes, int SegmentBytes = 1 << 20);

/// <summary>
/// The log of segments: recovery, durable groups, reading, acknowledgement, the disk cap. One thread commits; any
/// thread may read and acknowledge. <see cref="Outbox"/> gathers many callers into the groups.
/// </summary>
internal sealed partial class OutboxLog : IDisposable
{
    private readonly Lock gate = new();
    private readonly IOutboxStorage storage;
    private readonly OutboxLimits limits;
    private readonly ILogger logger;
    private readonly byte[] headerBuffer = new byte[OutboxFormat.RecordsStart];
    private readonly List<Segment> segments = [];
    private OutboxCursor cursor = new();
    private bool cursorDirty;
    private OutboxPosition acknowledged;
    private Guid stream;
    private ulong nextSequence = 1;
    private ulong newestOrdinal;
    private IOutboxFile? active;
    private bool sealActive;

    private OutboxLog(IOutboxStorage storage, OutboxLimits limits, ILogger logger)
    {
        this.storage = storage;
        this.limits = limits;
        this.logger = logger;
    }

    /// <summary>Id of the stream that is written now.</summary>
    public Guid Stream => stream;

    /// <summary>Records that wait for the hub.</summary>
    public ulong Pending
    {
        get
        {
            lock (gate)
            {
                ulong pending = 0;
                foreach (var segment in segments)
                {
                    pending += PendingIn(segment);
                }

                return pending;
            }
        }
    }

    /// <summary>Counts of all streams that are still at hand: what was dropped for want of room, what was lost by damage.</summary>
    public (ulong Dropped, ulong Lost) Missing
    {
        get
        {
            lock (gate)
            {
                ulong dropped = 0, lost = 0;
                foreach (var counts in cursor.Streams)
                {
                    dropped += counts.Dropped;
                    lost += counts.Lost;
                }

                foreach (var segment in segments)
                {
                    lost += segment.Lost;
                }

                return (dropped, lost);
            }
        }
    }

    /// <summary>
    /// Makes a group durable with one write and one fdatasync. The records lie in <paramref name="group"/> one after
    /// the other, each behind <see cref="OutboxFormat.RecordOverhead"/> free bytes; <paramref name="lengths"/> are their
    /// whole lengths. False: there was no room or the disk failed; they are dropped and counted, and take no sequence.
    /// </summary>
    public bool Commit(Span<byte> group, ReadOnlySpan<int> lengths)
    {
        Segment? segment = null;
        try
        {
            segment = PrepareSegment(group.Length);
            var at = 0;
            for (var i = 0; i < lengths.Length; i++)
            {
                OutboxFormat.SealRecord(group.Slice(at, lengths[i]), segment.Ordinal, nextSequence + (ulong)i);
                at += lengths[i];
            }

            active!.Write(segment.Bytes, group);
            active.Sync();
            lock (gate)
            {
                segment.Bytes += group.Length;
                nextSequence += (ulong)lengths.Length;
                segment.End = nextSequence;
            }

            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Dropped(logger, lengths.Length, e);
            GiveUpGroup(segment, (ulong)lengths.Length);
            return false;
        }
    }

    /// <summary>Writes the cursor if acknowledgements or counts have changed since it was last written.</summary>
    public void FlushCursor()
    {
        lock (gate)
        {
            if (cursorDirty)
            {
                TryWriteCursor();
            }
        }
    }

    public void Dispose()
    {
        FlushCursor();
        active?.Dispose();
        active = null;
    }

    private Segment PrepareSegment(int groupBytes)
    {
        if (active is not null && !sealActive)
        {
            var current = segments[^1];
            if (current.Bytes == OutboxFormat.RecordsStart || current.Bytes + groupBytes <= limits.SegmentBytes)
            {
                return current;
            }
        }

        lock (gate)
        {
            Seal();
            var ordinal = newestOrdinal + 1;
            var file = CreateSegment(new SegmentHeader(stream, ordinal, nextSequence, 0, 0, false), []);
            newestOrdinal = ordinal;
            var segment = new Segment(ordinal, stream, nextSequence) { End = nextSequence, Bytes = OutboxFormat.RecordsStart };
            if (segments.Count == 0)
            {
                // Where the count begins, should this segment go missing.
                acknowledged = new OutboxPosition(ordinal, OutboxFormat.RecordsStart, stream, nextSequence - 1);
            }

            segments.Add(segment);
            cursor.Newest = ordinal;
            cursorDirty = true;
            var gone = DropOldest();

            // Syncs the directory for the new segment too.
            if (!TryWriteCursor())
            {
                try
                {
                    storage.SyncDirectory();
                }
                catch
                {
                    file.Dispose();
                    throw;
                }
            }

            active = file;
            DeleteFiles(gone);
            return segment;
        }
    }

    private void Seal()
    {
        if (active is null)
        {
            return;
        }

        using (active)
        {
            // Gives back the room that is left. Not synced: noughts at the end do no harm.
            try
            {
                active.Truncate(segments[^1].Bytes);
            }
            catch (IOException e)
            {
                DiskFailed(logger, e);
            }
        }

        active = null;
        sealActive = false;
    }

    private List<ulong> DropOldest()
    {
        List<ulong> gone = [];
        var total = segments.Sum(segment => segment.Bytes) + limits.SegmentBytes;
        while (total > limits.MaxBytes && segments.Count > 1)
        {
            var oldest = segments[0];
            var dropped = PendingIn(oldest);
            cursor.CountsOf(oldest.Stream).Dropped += dropped;
            CapReached(logger, dropped);
            total -= oldest.Bytes;
            Leave(oldest, gone);
        }

        return gone;
    }

    /// <summary>Takes the oldest segment out of force; its file may go once the cursor is written.</summary>
    private void Leave(Segment oldest, List<ulong> gone)
    {
        if (oldest.Lost > 0)
        {
            cursor.CountsOf(oldest.Stream).Lost += oldest.Lost;
        }

        if (acknowledged.Ordinal <= oldest.Ordinal && (oldest.Stream != acknowledged.Stream || acknowledged.Sequence + 1 < oldest.End))
        {
            acknowledged = new OutboxPosition(oldest.Ordinal, OutboxFormat.RecordsStart, oldest.Stream, oldest.End - 1);
        }

        segments.RemoveAt(0);
        gone.Add(oldest.Ordinal);
        cursor.Head = segments.Count > 0 ? segments[0].Ordinal : newestOrdinal + 1;
        cursorDirty = true;
    }

    private void GiveUpGroup(Segment? segment, ulong records)
    {
        lock (gate)
        {
            cursor.CountsOf(stream).Dropped += records;
            cursorDirty = true;
            try
            {
                if (segment is not null && active is not null)
                {
                    active.Truncate(segment.Bytes);
                    active.Sync();
                }
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // What lies behind the segment's end is ignored, because the next one begins at the same sequence.
                sealActive = true;
                DiskFailed(logger, e);
            }

            TryWriteCursor();
        }
    }

    private ulong PendingIn(Segment segment)
    {
        var from = segment.First;
        if (segment.Stream == acknowledged.Stream)
        {
            from = Math.Max(from, acknowledged.Sequence + 1);
        }

        return segment.End <= from ? 0 : segment.End - from - Math.Min(segment.Lost, segment.End - from);
    }

    /// <summary>A segment in force. All but the last are sealed: nothing is written to them any more.</summary>
    private sealed class Segment(ulong ordinal, Guid stream, ulong first)
    {
        public ulong Ordinal { get; } = ordinal;

        public Guid Stream { get; } = stream;

        public ulong First { get; } = first;

        /// <summary>One past its last sequence.</summary>
        public ulong End { get; set; }

        /// <summary>Durable bytes.</summary>
        public long Bytes { get; set; }

        public ulong Lost { get; set; }

        /// <summary>One copy of its header is damaged.</summary>
        public bool HeaderDamaged { get; set; }

        /// <summary>It was put together from what was whole: sequences may be left out.</summary>
        public bool Salvaged { get; set; }
    }

    [LoggerMessage(EventId = 1, Level = LogLevel.Error, Message = "Dropped {Records} telemetry records: the outbox cannot be written")]
    private static partial void Dropped(ILogger logger, int records, Exception exception);

    [LoggerMessage(EventId = 2, Level = LogLevel.Warning, Message = "Dropped the oldest {Records} telemetry records: the outbox is full")]
    private static partial void CapReached(ILogger logger, ulong records);

    [LoggerMessage(EventId = 3, Level = LogLevel.Error, Message = "The outbox's disk failed; it carries on")]
    private static partial void DiskFailed(ILogger logger, Exception exception);

    [LoggerMessage(EventId = 4, Level = LogLevel.Error, Message = "Outbox segment {Segment} is damaged; quarantined it and lost {Lost} records")]
    private static partial void SegmentDamaged(ILogger logger, string segment, ulong lost);

    [LoggerMessage(EventId = 5, Level = LogLevel.Warning, Message = "The outbox did not end cleanly ({Reason}); it begins stream {Stream}")]
    private static partial void NewStream(ILogger logger, string reason, Guid stream);
}

/// <summary>A place in the outbox: everything up to and including <paramref name="Sequence"/> of the stream.</summary>
internal readonly record struct OutboxPosition(ulong Ordinal, long Offset, Guid Stream, ulong Sequence);
