using System.Buffers.Binary;

namespace EdgeVirt.Node.Telemetry;

/// <summary>What a stream of the outbox had to give up. Counts rise for as long as the stream lives.</summary>
internal sealed class StreamCounts(Guid stream)
{
    public Guid Stream { get; } = stream;

    /// <summary>Records given up for want of room.</summary>
    public ulong Dropped { get; set; }

    /// <summary>Records lost by damage, in segments that are gone by now; those at hand say it themselves.</summary>
    public ulong Lost { get; set; }

    /// <summary>What the hub has acknowledged of <see cref="Dropped"/>.</summary>
    public ulong ReportedDropped { get; set; }

    /// <summary>What the hub has acknowledged of all lost records.</summary>
    public ulong ReportedLost { get; set; }
}

/// <summary>
/// How far the hub has acknowledged, and which segments are in force. One small file, replaced whole
/// (write, fsync, rename, fsync of the directory) when segments come or go and else about once a minute: after a crash
/// some records are sent again, and the hub knows them by their sequence.
/// <code>
/// 0 magic "EVCURSOR" | 8 head ordinal u64 | 16 newest ordinal u64 | 24 acknowledged stream, 16 bytes | 40 acknowledged sequence u64
/// 48 streams u32, at most 16 | 52 (stream 16 bytes, dropped, lost, reported dropped, reported lost u64)* | crc u32
/// </code>
/// </summary>
internal sealed class OutboxCursor
{
    public const string FileName = "cursor";
    public const int MaxStreams = 16;
    private const int FixedBytes = 52;
    private const int StreamBytes = 48;
    public const int MaxBytes = FixedBytes + (MaxStreams * StreamBytes) + 4;

    private static ReadOnlySpan<byte> Magic => "EVCURSOR"u8;

    /// <summary>Segments below it are done with, whether or not their files are still there.</summary>
    public ulong Head { get; set; } = 1;

    /// <summary>A segment up to this one was in use: where it is missing, it was lost.</summary>
    public ulong Newest { get; set; }

    public Guid AckStream { get; set; }

    public ulong AckSequence { get; set; }

    public List<StreamCounts> Streams { get; } = [];

    public byte[] Encode()
    {
        var bytes = new byte[FixedBytes + (Streams.Count * StreamBytes) + 4];
        var span = bytes.AsSpan();
        Magic.CopyTo(span);
        BinaryPrimitives.WriteUInt64LittleEndian(span[8..], Head);
        BinaryPrimitives.WriteUInt64LittleEndian(span[16..], Newest);
        AckStream.TryWriteBytes(span[24..]);
        BinaryPrimitives.WriteUInt64LittleEndian(span[40..], AckSequence);
        BinaryPrimitives.WriteUInt32LittleEndian(span[48..], (uint)Streams.Count);
        var at = FixedBytes;
        foreach (var counts in Streams)
        {
            counts.Stream.TryWriteBytes(span[at..]);
            BinaryPrimitives.WriteUInt64LittleEndian(span[(at + 16)..], counts.Dropped);
            BinaryPrimitives.WriteUInt64LittleEndian(span[(at + 24)..], counts.Lost);
            BinaryPrimitives.WriteUInt64LittleEndian(span[(at + 32)..], counts.ReportedDropped);
            BinaryPrimitives.WriteUInt64LittleEndian(span[(at + 40)..], counts.ReportedLost);
            at += StreamBytes;
        }

        BinaryPrimitives.WriteUInt32LittleEndian(span[at..], OutboxFormat.Crc(span[..at]));
        return bytes;
    }

    public static OutboxCursor? TryDecode(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length < FixedBytes + 4 || !bytes.StartsWith(Magic)
            || BinaryPrimitives.ReadUInt32LittleEndian(bytes[^4..]) != OutboxFormat.Crc(bytes[..^4]))
        {
            return null;
        }

        var count = BinaryPrimitives.ReadUInt32LittleEndian(bytes[48..]);
        if (count > MaxStreams || bytes.Length != FixedBytes + ((int)count * StreamBytes) + 4)
        {
            return null;
        }

        var cursor = new OutboxCursor
        {
            Head = BinaryPrimitives.ReadUInt64LittleEndian(bytes[8..]),
            Newest = BinaryPrimitives.ReadUInt64LittleEndian(bytes[16..]),
            AckStream = new Guid(bytes[24..40]),
            AckSequence = BinaryPrimitives.ReadUInt64LittleEndian(bytes[40..]),
        };
        for (var at = FixedBytes; at < bytes.Length - 4; at += StreamBytes)
        {
            cursor.Streams.Add(new StreamCounts(new Guid(bytes.Slice(at, 16)))
            {
                Dropped = BinaryPrimitives.ReadUInt64LittleEndian(bytes[(at + 16)..]),
                Lost = BinaryPrimitives.ReadUInt64LittleEndian(bytes[(at + 24)..]),
                ReportedDropped = BinaryPrimitives.ReadUInt64LittleEndian(bytes[(at + 32)..]),
                ReportedLost = BinaryPrimitives.ReadUInt64LittleEndian(bytes[(at + 40)..]),
            });
        }

        return cursor;
    }

    /// <summary>The counts of a stream, begun at nought where there are none.</summary>
    public StreamCounts CountsOf(Guid stream)
    {
        var counts = Streams.Find(candidate => candidate.Stream == stream);
        if (counts is null)
        {
            counts = new StreamCounts(stream);
            Streams.Add(counts);
        }

        return counts;
    }

    /// <summary>Gives up a stream that has no segments left; what the hub was not yet told of it passes to the stream in use.</summary>
    public void Retire(StreamCounts done, Guid current)
    {
        Streams.Remove(done);
        var heir = CountsOf(current);
        heir.Dropped += done.Dropped - Math.Min(done.Dropped, done.ReportedDropped);
        heir.Lost += done.Lost - Math.Min(done.Lost, done.ReportedLost);
    }
}
