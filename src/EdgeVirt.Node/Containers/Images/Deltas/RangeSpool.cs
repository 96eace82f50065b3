using System.Buffers.Binary;
using System.Security.Cryptography;
using Microsoft.Win32.SafeHandles;

namespace EdgeVirt.Node.Containers.Images.Deltas;

/// <summary>
/// Ranges of one blob as they arrived, in a file that only grows, so that a pull goes on from there after a cut, a restart or a
/// power cut: <c>offset u64 | length u32 | first 8 bytes of the SHA-256 of offset, length and bytes | bytes</c>, little endian, again
/// and again. What breaks off at the end is dropped. Digests of files and of the layer prove the bytes; this sum only finds torn ones.
/// </summary>
internal sealed class RangeSpool : IDisposable
{
    private const int HeaderBytes = 20;
    private const int MaxRecord = 1 << 20;

    private readonly SafeFileHandle _file;
    private readonly List<Record> _records = [];
    private long _end;

    /// <param name="path">Made where there is none.</param>
    public RangeSpool(string path)
    {
        _file = File.OpenHandle(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read);
        var buffer = new byte[MaxRecord];
        while (ReadRecord(buffer) is { } record)
        {
            Insert(record);
            _end = record.At + record.Range.Length;
        }

        RandomAccess.SetLength(_file, _end);
    }

    /// <summary>Keeps bytes that follow each other in the blob; what was kept of them before stays.</summary>
    public void Append(long offset, ReadOnlySpan<byte> bytes)
    {
        while (bytes.Length > MaxRecord)
        {
            Append(offset, bytes[..MaxRecord]);
            offset += MaxRecord;
            bytes = bytes[MaxRecord..];
        }

        Span<byte> header = stackalloc byte[HeaderBytes];
        BinaryPrimitives.WriteInt64LittleEndian(header, offset);
        BinaryPrimitives.WriteInt32LittleEndian(header[8..], bytes.Length);
        Sum(header[..12], bytes, header[12..]);
        RandomAccess.Write(_file, header, _end);
        RandomAccess.Write(_file, bytes, _end + HeaderBytes);
        Insert(new Record(new ByteRange(offset, offset + bytes.Length), _end + HeaderBytes));
        _end += HeaderBytes + bytes.Length;
    }

    /// <summary>What of a range is not here, in order.</summary>
    public IEnumerable<ByteRange> Missing(ByteRange range)
    {
        var at = range.Start;
        for (var i = IndexOf(at); at < range.End; i++)
        {
            var next = i < _records.Count ? Math.Min(_records[i].Range.Start, range.End) : range.End;
            if (next > at)
            {
                yield return new ByteRange(at, next);
            }

            at = i < _records.Count ? Math.Max(at, _records[i].Range.End) : range.End;
        }
    }

    /// <summary>How many bytes of some ranges are not here.</summary>
    public long MissingBytes(IEnumerable<ByteRange> ranges) => ranges.Sum(range => Missing(range).Sum(part => part.Length));

    /// <summary>Reads from an offset of the blob what lies there in one piece; 0: nothing does.</summary>
    public int Read(long offset, Span<byte> buffer)
    {
        var index = IndexOf(offset);
        if (index >= _records.Count || _records[index].Range.Start > offset)
        {
            return 0;
        }

        var record = _records[index];
        var count = (int)Math.Min(buffer.Length, record.Range.End - offset);
        return RandomAccess.Read(_file, buffer[..count], record.At + offset - record.Range.Start);
    }

    public void Dispose() => _file.Dispose();

    private Record? ReadRecord(byte[] buffer)
    {
        Span<byte> header = stackalloc byte[HeaderBytes];
        Span<byte> sum = stackalloc byte[8];
        if (RandomAccess.Read(_file, header, _end) < HeaderBytes)
        {
            return null;
        }

        var offset = BinaryPrimitives.ReadInt64LittleEndian(header);
        var length = BinaryPrimitives.ReadInt32LittleEndian(header[8..]);
        if (offset < 0 || length is <= 0 or > MaxRecord || RandomAccess.Read(_file, buffer.AsSpan(0, length), _end + HeaderBytes) < length)
        {
            return null;
        }

        Sum(header[..12], buffer.AsSpan(0, length), sum);
        return sum.SequenceEqual(header[12..]) ? new Record(new ByteRange(offset, offset + length), _end + HeaderBytes) : null;
    }

    private static void Sum(ReadOnlySpan<byte> place, ReadOnlySpan<byte> bytes, Span<byte> sum)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(place);
        hash.AppendData(bytes);
        Span<byte> whole = stackalloc byte[SHA256.HashSizeInBytes];
        hash.GetHashAndReset(whole);
        whole[..8].CopyTo(sum);
    }

    private void Insert(Record record)
    {
        var index = IndexOf(record.Range.Start);
        if (index == _records.Count || _records[index].Range.Start >= record.Range.End)
        {
            _records.Insert(index, record);
        }
    }

    /// <summary>Of the first record that ends behind an offset.</summary>
    private int IndexOf(long offset)
    {
        var (low, high) = (0, _records.Count);
        while (low < high)
        {
            var middle = (low + high) / 2;
            (low, high) = _records[middle].Range.End <= offset ? (middle + 1, high) : (low, middle);
        }

        return low;
    }

    private readonly record struct Record(ByteRange Range, long At);
}
