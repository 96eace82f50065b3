namespace EdgeVirt.Node.Telemetry;

internal sealed partial class OutboxLog
{
    /// <summary>
    /// Puts a damaged segment's whole records into a new file in its place, after a copy went into quarantine. What is
    /// missing is written into its header, so that a crash in between neither loses nor doubles the count. False for the segment being
    /// written: it is sealed first, at the next commit.
    /// </summary>
    private bool Heal(Segment segment)
    {
        if (active is not null && segment == segments[^1])
        {
            sealActive = true;
            return false;
        }

        var bytes = ReadWhole(segment);
        var scan = SegmentScan.Walk(bytes, segment.Ordinal, segment.First, segment.End);
        var whole = new byte[scan.Runs.Sum(run => run.Length)];
        var at = 0;
        var known = segment.Stream == acknowledged.Stream ? Math.Max(segment.First, acknowledged.Sequence + 1) : segment.First;
        ulong lost = 0;
        foreach (var run in scan.Runs)
        {
            bytes.AsSpan(run.Offset, run.Length).CopyTo(whole.AsSpan(at));
            at += run.Length;
            lost += run.First > known ? run.First - known : 0;
            known = Math.Max(known, run.End);
        }

        lost += segment.End > known ? segment.End - known : 0;
        segment.Lost = Math.Max(segment.Lost, lost);
        var name = OutboxFormat.SegmentName(segment.Ordinal);
        SegmentDamaged(logger, name, segment.Lost);
        try
        {
            storage.Quarantine(name);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            DiskFailed(logger, e);
        }

        Replace(segment, whole);
        return true;
    }

    private void Replace(Segment segment, ReadOnlySpan<byte> records)
    {
        segment.Salvaged = true;
        segment.HeaderDamaged = false;
        segment.Bytes = OutboxFormat.RecordsStart + records.Length;
        try
        {
            CreateSegment(new SegmentHeader(segment.Stream, segment.Ordinal, segment.First, segment.End, segment.Lost, true), records).Dispose();
            storage.SyncDirectory();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Two faults at once: nothing of it can be sent, all of it is lost.
            DiskFailed(logger, e);
            segment.Lost = Math.Max(segment.Lost, segment.End - segment.First);
            segment.Bytes = OutboxFormat.RecordsStart;
        }
    }

    private void SetAside(string name)
    {
        try
        {
            storage.Quarantine(name);
            storage.Delete(name);
            storage.SyncDirectory();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            DiskFailed(logger, e);
        }
    }

    private byte[] ReadWhole(Segment segment)
    {
        try
        {
            using var file = storage.Open(OutboxFormat.SegmentName(segment.Ordinal), create: false);
            var bytes = new byte[file.Length];
            var read = file.Read(0, bytes);
            return read == bytes.Length ? bytes : bytes[..read];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            DiskFailed(logger, e);
            return [];
        }
    }
}
