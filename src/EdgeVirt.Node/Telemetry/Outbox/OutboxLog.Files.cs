namespace EdgeVirt.Node.Telemetry;

internal sealed partial class OutboxLog
{
    private static readonly byte[] Room = new byte[64 * 1024];

    // The name appears only once the header is durable, so a segment without a whole header was damaged, never torn.
    // The caller syncs the directory.
    private IOutboxFile CreateSegment(SegmentHeader header, ReadOnlySpan<byte> records)
    {
        storage.EnsureDirectory();
        var name = OutboxFormat.SegmentName(header.Ordinal);
        var temporary = name + ".tmp";
        var file = storage.Open(temporary, create: true);
        try
        {
            OutboxFormat.WriteHeader(headerBuffer, header);
            file.Write(0, headerBuffer);
            if (header.Salvaged)
            {
                file.Write(OutboxFormat.RecordsStart, records);
            }
            else
            {
                for (var at = OutboxFormat.RecordsStart; at < limits.SegmentBytes; at += Room.Length)
                {
                    file.Write(at, Room.AsSpan(0, Math.Min(Room.Length, limits.SegmentBytes - at)));
                }
            }

            file.Sync();
            storage.Rename(temporary, name);
            return file;
        }
        catch
        {
            file.Dispose();
            TryDelete(temporary);
            throw;
        }
    }

    // A half-made file would keep the room that is wanting.
    private void TryDelete(string name)
    {
        try
        {
            storage.Delete(name);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            DiskFailed(logger, e);
        }
    }

    private void DeleteFiles(List<ulong> ordinals)
    {
        // The cursor's head already rules them out: should a deletion fail, the next opening makes up for it.
        if (ordinals.Count == 0 || cursorDirty)
        {
            return;
        }

        try
        {
            foreach (var ordinal in ordinals)
            {
                storage.Delete(OutboxFormat.SegmentName(ordinal));
            }

            storage.SyncDirectory();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            DiskFailed(logger, e);
        }
    }

    private bool TryWriteCursor()
    {
        cursor.AckStream = acknowledged.Stream;
        cursor.AckSequence = acknowledged.Sequence;
        foreach (var counts in cursor.Streams.FindAll(c => c.Stream != stream && !segments.Exists(s => s.Stream == c.Stream)))
        {
            cursor.Retire(counts, stream);
        }

        while (cursor.Streams.Count > OutboxCursor.MaxStreams)
        {
            cursor.Retire(cursor.Streams.First(c => c.Stream != stream), stream);
        }

        try
        {
            using (var file = storage.Open(OutboxCursor.FileName + ".tmp", create: true))
            {
                file.Write(0, cursor.Encode());
                file.Sync();
            }

            storage.Rename(OutboxCursor.FileName + ".tmp", OutboxCursor.FileName);
            storage.SyncDirectory();
            cursorDirty = false;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            cursorDirty = true;
            DiskFailed(logger, e);
        }

        return !cursorDirty;
    }
}
