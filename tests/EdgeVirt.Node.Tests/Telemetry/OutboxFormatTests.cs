using CsCheck;
using EdgeVirt.Node.Telemetry;

namespace EdgeVirt.Node.Tests.Telemetry;

public sealed class OutboxFormatTests
{
    private static readonly Gen<SegmentHeader> Headers =
        Gen.Select(Gen.Guid, Gen.ULong, Gen.ULong, Gen.ULong, Gen.ULong, Gen.Bool, (stream, ordinal, first, end, lost, salvaged) => new SegmentHeader(stream, ordinal, first, end, lost, salvaged));

    [Test]
    public void Checksum_is_CRC32C() => Assert.That(OutboxFormat.Crc("123456789"u8), Is.EqualTo(0xE3069283u));

    [Test]
    public void Every_header_reads_back_also_from_one_copy() => Headers.Sample(header =>
    {
        var bytes = new byte[OutboxFormat.RecordsStart];
        OutboxFormat.WriteHeader(bytes, header);
        var whole = OutboxFormat.TryReadHeader(bytes, out var read, out var both) && both && read == header;
        bytes[20] ^= 4;
        var second = OutboxFormat.TryReadHeader(bytes, out read, out both) && !both && read == header;
        bytes[OutboxFormat.HeaderBytes + 33] ^= 4;
        return whole && second && !OutboxFormat.TryReadHeader(bytes, out _, out _);
    });

    [Test]
    public void Every_record_reads_back_in_its_own_segment_only() =>
        Gen.Select(Gen.Byte.Array[1, 3000], Gen.ULong, Gen.ULong).Sample((payload, ordinal, sequence) =>
        {
            var record = new byte[payload.Length + OutboxFormat.RecordOverhead];
            payload.CopyTo(record, OutboxFormat.RecordOverhead);
            OutboxFormat.SealRecord(record, ordinal, sequence);
            return OutboxFormat.TryReadRecord([.. record, 1, 2, 3], ordinal, out var read, out var length)
                && read == sequence && length == record.Length
                && !OutboxFormat.TryReadRecord(record, ordinal + 1, out _, out _)
                && !OutboxFormat.TryReadRecord(record.AsSpan(0, record.Length - 1), ordinal, out _, out _);
        });

    [Test]
    public void No_single_flipped_bit_passes() =>
        Gen.Select(Gen.Byte.Array[1, 200], Gen.Int[0, 7], Gen.Int[0, int.MaxValue]).Sample((payload, bit, where) =>
        {
            var record = new byte[payload.Length + OutboxFormat.RecordOverhead];
            payload.CopyTo(record, OutboxFormat.RecordOverhead);
            OutboxFormat.SealRecord(record, 1, 1);
            record[where % record.Length] ^= (byte)(1 << bit);
            return !OutboxFormat.TryReadRecord(record, 1, out _, out _);
        });

    [Test]
    public void Arbitrary_bytes_hold_no_record() => Gen.Byte.Array[0, 2000].Sample(bytes =>
        SegmentScan.Walk([.. new byte[OutboxFormat.RecordsStart], .. bytes], 1, 1).Runs.Count == 0);

    [Test]
    public void Every_cursor_reads_back() =>
        Gen.Select(Gen.ULong, Gen.ULong, Gen.Guid, Gen.ULong, Gen.Guid.Array[0, OutboxCursor.MaxStreams]).Sample((head, newest, stream, sequence, streams) =>
        {
            var cursor = new OutboxCursor { Head = head, Newest = newest, AckStream = stream, AckSequence = sequence };
            foreach (var id in streams.Distinct())
            {
                cursor.CountsOf(id).Dropped = head;
            }

            var read = OutboxCursor.TryDecode(cursor.Encode());
            return read is not null && read.Encode().AsSpan().SequenceEqual(cursor.Encode());
        });
}
