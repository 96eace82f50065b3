using EdgeVirt.Linux.Storage;

namespace EdgeVirt.Cli.Flash;

/// <summary>A target as the card that it will be: its head, which is not written yet, out of memory, the rest from the medium.</summary>
/// <param name="target">The target.</param>
/// <param name="head">Its first bytes.</param>
internal sealed class CardStream(IFlashTarget target, byte[] head) : Stream
{
    private readonly AlignedBuffer block = new(AlignedBuffer.Alignment);
    private long position;

    public override bool CanRead => true;

    public override bool CanSeek => true;

    public override bool CanWrite => true;

    public override long Length => target.Length;

    public override long Position
    {
        get => position;
        set => position = value >= 0 ? value : throw new IOException("There is nothing before a card's beginning.");
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override int Read(Span<byte> buffer)
    {
        var count = (int)Math.Min(buffer.Length, Math.Max(0, Length - position));
        for (var done = 0; done < count;)
        {
            var part = PartAt(count - done);
            part.CopyTo(buffer[done..]);
            done += part.Length;
            position += part.Length;
        }

        return count;
    }

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        if (position + buffer.Length > Length)
        {
            throw new IOException($"{target.Name} ends at {Length}; nothing can be written behind that.");
        }

        for (var done = 0; done < buffer.Length;)
        {
            var part = PartAt(buffer.Length - done);
            buffer.Slice(done, part.Length).CopyTo(part);
            if (position >= head.Length)
            {
                var start = BlockStart;
                target.Write(start, block.Span[..BlockLength(start)]);
            }

            done += part.Length;
            position += part.Length;
        }
    }

    public override void Flush() => target.Sync();

    public override long Seek(long offset, SeekOrigin origin) =>
        Position = origin switch { SeekOrigin.Begin => offset, SeekOrigin.Current => position + offset, _ => Length + offset };

    public override void SetLength(long value) => throw new NotSupportedException("A card has the length that it has.");

    private long BlockStart => position / AlignedBuffer.Alignment * AlignedBuffer.Alignment;

    private int BlockLength(long start) => (int)Math.Min(AlignedBuffer.Alignment, Length - start);

    // The rest of the head, or of the block on the medium that the position is in.
    private Span<byte> PartAt(int most)
    {
        if (position < head.Length)
        {
            return head.AsSpan((int)position, (int)Math.Min(most, head.Length - position));
        }

        var start = BlockStart;
        var whole = block.Span[..BlockLength(start)];
        target.Read(start, whole);
        var from = (int)(position - start);
        return whole.Slice(from, Math.Min(most, whole.Length - from));
    }

    protected override void Dispose(bool disposing)
    {
        block.Dispose();
        base.Dispose(disposing);
    }
}
