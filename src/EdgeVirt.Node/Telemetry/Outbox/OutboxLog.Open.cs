using Microsoft.Extensions.Logging;

namespace EdgeVirt.Node.Telemetry;

internal sealed partial class OutboxLog
{
    /// <summary>
    /// Opens what is there and always comes up. Only the newest segment is read whole; the others are checked as they
    /// are sent. Where the end is not certain (torn, damaged or missing), a new stream begins, so that no sequence the
    /// hub may know is ever given to another record. Throws <see cref="IOException"/> only when an existing directory cannot be read.
    /// </summary>
    public static OutboxLog Open(IOutboxStorage storage, OutboxLimits limits, ILogger logger)
    {
        var log = new OutboxLog(storage, limits, logger);
        log.Recover();
        return log;
    }

    private void Recover()
    {
        var names = ListFiles();
        var known = ReadCursor(names.Contains(OutboxCursor.FileName));
        cursor = known ?? new OutboxCursor();
        List<ulong> stale = [];
        List<ulong> ordinals = [];
        foreach (var name in names)
        {
            if (OutboxFormat.TryParseSegmentName(name, out var ordinal))
            {
                (ordinal < cursor.Head ? stale : ordinals).Add(ordinal);
            }
        }

        ordinals.Sort();
        newestOrdinal = Math.Max(cursor.Newest, ordinals.Count > 0 ? ordinals[^1] : 0);
        acknowledged = new OutboxPosition(cursor.Head, OutboxFormat.RecordsStart, cursor.AckStream, cursor.AckSequence);
        DeleteFiles(stale);
        var doubt = known is null ? (ordinals.Count > 0 ? "no cursor" : "empty")
            : cursor.Newest > (ordinals.Count > 0 ? ordinals[^1] : cursor.Head - 1) ? "newest segment missing" : null;
        foreach (var ordinal in ordinals)
        {
            if (!TryLoad(ordinal) && ordinal == ordinals[^1])
            {
                doubt = "newest segment unreadable";
            }
        }

        FindEnds();
        doubt = CheckNewest() ?? doubt;
        FindMissing();
        if (doubt is null && segments.Count > 0)
        {
            stream = segments[^1].Stream;
            nextSequence = segments[^1].End;
            Resume();
        }
        else
        {
            stream = Guid.NewGuid();
            if (doubt != "empty")
            {
                NewStream(logger, doubt ?? "no segments", stream);
            }
        }
    }

    private IReadOnlyList<string> ListFiles()
    {
        try
        {
            storage.EnsureDirectory();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // A full disk, say: the agent runs all the same, and drops telemetry until there is room.
            DiskFailed(logger, e);
            return [];
        }

        var names = storage.List();
        foreach (var name in names.Where(name => name.EndsWith(".tmp", StringComparison.Ordinal)))
        {
            storage.Delete(name);
        }

        return names;
    }

    private OutboxCursor? ReadCursor(bool exists)
    {
        if (!exists)
        {
            return null;
        }

        try
        {
            OutboxCursor? read;
            using (var file = storage.Open(OutboxCursor.FileName, create: false))
            {
                Span<byte> bytes = stackalloc byte[OutboxCursor.MaxBytes + 1];
                read = OutboxCursor.TryDecode(bytes[..file.Read(0, bytes)]);
            }

            if (read is null)
            {
                SegmentDamaged(logger, OutboxCursor.FileName, 0);
                storage.Quarantine(OutboxCursor.FileName);
            }

            return read;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            DiskFailed(logger, e);
            return null;
        }
    }

    /// <summary>Takes a segment into force by its header. False: it has none, and is quarantined as a whole.</summary>
    private bool TryLoad(ulong ordinal)
    {
        var name = OutboxFormat.SegmentName(ordinal);
        SegmentHeader header = default;
        var whole = false;
        var bothWhole = false;
        long length = 0;
        try
        {
            using var file = storage.Open(name, create: false);
            length = file.Length;
            var read = file.Read(0, headerBuffer);
            whole = OutboxFormat.TryReadHeader(headerBuffer.AsSpan(0, read), out header, out bothWhole) && header.Ordinal == ordinal;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            DiskFailed(logger, e);
        }

        if (!whole)
        {
            SegmentDamaged(logger, name, 0);
            SetAside(name);
            return false;
        }

        segments.Add(new Segment(ordinal, header.Stream, header.First)
        {
            Bytes = Math.Max(length, OutboxFormat.RecordsStart),
            End = header.End,
            Lost = header.Lost,
            Salvaged = header.Salvaged,
            HeaderDamaged = !bothWhole,
        });
        return true;
    }

    /// <summary>
    /// A sealed segment ends where the next of its stream begins. Without a next one, or with a segment missing between
    /// them, its own records say where.
    /// </summary>
    private void FindEnds()
    {
        for (var i = 0; i < segments.Count - 1; i++)
        {
            var segment = segments[i];
            var next = segments[i + 1];
            if (segment.End == 0 && next.Stream == segment.Stream && next.Ordinal == segment.Ordinal + 1)
            {
                segment.End = next.First;
            }
            else if (segment.End == 0)
            {
                EndByRecords(segment);
            }

            if (segment.HeaderDamaged)
            {
                Heal(segment);
            }
        }
    }

    private SegmentScan EndByRecords(Segment segment) => EndByRecords(segment, ReadWhole(segment));

    private SegmentScan EndByRecords(Segment segment, ReadOnlySpan<byte> bytes)
    {
        var scan = SegmentScan.Walk(bytes, segment.Ordinal, segment.First);
        segment.End = scan.End(segment.First);
        if (scan.Damaged)
        {
            Heal(segment);
        }

        return scan;
    }

    /// <summary>Makes certain of the newest segment; says why where it did not end cleanly.</summary>
    private string? CheckNewest()
    {
        if (segments.Count == 0)
        {
            return null;
        }

        var newest = segments[^1];
        if (newest.Salvaged)
        {
            return "newest segment salvaged";
        }

        try
        {
            // After a mere kill the last group may be whole but not yet durable: it must be before anyone sends it.
            using var file = storage.Open(OutboxFormat.SegmentName(newest.Ordinal), create: false);
            file.Sync();
            var bytes = ReadWhole(newest);
            var scan = EndByRecords(newest, bytes);
            if (scan.Damaged)
            {
                return "newest segment damaged";
            }

            newest.Bytes = Math.Max(scan.WholeBytes, OutboxFormat.RecordsStart);
            if (newest.HeaderDamaged)
            {
                Heal(newest);
                return "newest segment damaged";
            }

            if (bytes.AsSpan(scan.WholeBytes).IndexOfAnyExcept((byte)0) >= 0)
            {
                file.Truncate(newest.Bytes);
                file.Sync();
                return "torn write";
            }

            // The cursor knows of acknowledged records that are no longer there.
            return newest.Stream == cursor.AckStream && newest.End <= cursor.AckSequence ? "newest segment cut short" : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            DiskFailed(logger, e);
            return "newest segment unreadable";
        }
    }

    /// <summary>Where a stream's sequence jumps between segments, one is missing: an empty one takes its place and counts the loss.</summary>
    private void FindMissing()
    {
        for (var i = 0; i < segments.Count; i++)
        {
            var next = segments[i];
            var (previousOrdinal, previousStream, end) = i > 0
                ? (segments[i - 1].Ordinal, segments[i - 1].Stream, segments[i - 1].End)
                : (cursor.Head - 1, cursor.AckStream, cursor.AckSequence + 1);
            if (previousStream != next.Stream || next.First <= end || next.Ordinal <= previousOrdinal + 1)
            {
                continue;
            }

            var ordinal = previousOrdinal + 1;
            var placeholder = new Segment(ordinal, next.Stream, end) { End = next.First, Lost = next.First - end };
            SegmentDamaged(logger, OutboxFormat.SegmentName(ordinal), placeholder.Lost);
            Replace(placeholder, []);
            segments.Insert(i, placeholder);
            i++;
        }
    }

    private void Resume()
    {
        try
        {
            active = storage.Open(OutboxFormat.SegmentName(segments[^1].Ordinal), create: false);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            DiskFailed(logger, e);
        }
    }
}
