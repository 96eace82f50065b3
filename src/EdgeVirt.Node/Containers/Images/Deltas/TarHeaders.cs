using System.Text.Json;
using EdgeVirt.Node.Containers.Images.Layers;

namespace EdgeVirt.Node.Containers.Images.Deltas;

/// <summary>What a tar has between the contents of its files.</summary>
internal interface ITarHeaders : IDisposable
{
    /// <summary>What comes before a piece that has a gap before it, or at the end. Asked for in order, each once.</summary>
    Stream Open(int index);
}

/// <summary>Out of the frames between the contents, which were fetched.</summary>
internal sealed class FetchedHeaders(TableOfContents contents, RangeSpool spool, long tarEnd) : ITarHeaders
{
    public Stream Open(int index) => LayerCompression.Zstd(new SpooledRange(spool, contents.Gap(index, tarEnd)));

    public void Dispose()
    {
        // The spool lives on.
    }
}

/// <summary>
/// Out of tar-split data (vbatts/tar-split): lines of JSON, each with raw bytes of the tar or with the size of a file whose content
/// comes there.
/// </summary>
internal sealed class SplitHeaders(Stream packed) : ITarHeaders
{
    /// <summary>A pax header of a megabyte, as base64, and more.</summary>
    private const int MaxLine = 4 << 20;

    private readonly Stream _lines = LayerCompression.Zstd(packed);
    private byte[] _buffer = new byte[16 << 10];
    private int _filled;
    private int _line;

    public Stream Open(int index) => new Raw(this);

    public void Dispose() => _lines.Dispose();

    /// <summary>Raw bytes up to the next file that has content; null: that, or the end.</summary>
    private byte[]? Next()
    {
        while (ReadLine() is { Length: > 0 } line)
        {
            var entry = JsonSerializer.Deserialize(line.Span, DeltaJson.Default.HeadersEntry);
            switch (entry?.Type)
            {
                case HeadersEntry.Raw when entry.Payload is { Length: > 0 } raw:
                    return raw;
                case HeadersEntry.File when entry.Size > 0:
                    return null;
                case HeadersEntry.Raw or HeadersEntry.File:
                    break;
                default:
                    throw new InvalidDataException("The layer's tar-split data is damaged.");
            }
        }

        return null;
    }

    /// <summary>Without its end; empty: there is no more.</summary>
    private ReadOnlyMemory<byte> ReadLine()
    {
        while (true)
        {
            var length = _buffer.AsSpan(_line, _filled - _line).IndexOf((byte)'\n');
            if (length >= 0)
            {
                var line = _buffer.AsMemory(_line, length);
                _line += length + 1;
                if (length > 0)
                {
                    return line;
                }

                continue;
            }

            _buffer.AsSpan(_line, _filled - _line).CopyTo(_buffer);
            (_filled, _line) = (_filled - _line, 0);
            if (_filled == _buffer.Length)
            {
                Array.Resize(ref _buffer, _buffer.Length < MaxLine ? _buffer.Length * 2 : throw new InvalidDataException("A line of the layer's tar-split data is too long."));
            }

            var read = _lines.Read(_buffer.AsSpan(_filled));
            if (read == 0)
            {
                return default;
            }

            _filled += read;
        }
    }

    private sealed class Raw(SplitHeaders headers) : ReadOnlyStream
    {
        private ReadOnlyMemory<byte> _left;
        private bool _atEnd;

        public override int Read(Span<byte> buffer)
        {
            while (_left.IsEmpty && !_atEnd)
            {
                _left = headers.Next();
                _atEnd = _left.IsEmpty;
            }

            var count = Math.Min(buffer.Length, _left.Length);
            _left.Span[..count].CopyTo(buffer);
            _left = _left[count..];
            return count;
        }
    }
}
