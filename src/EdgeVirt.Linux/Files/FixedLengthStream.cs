namespace EdgeVirt.Linux.Files;

/// <summary>As many bytes of a file as it had when it was looked at: no more if it grows meanwhile, and zeros if it shrinks. A tar says the length first.</summary>
internal sealed class FixedLengthStream(Stream inner, long length) : Stream
{
    private long position;

    public override bool CanRead => true;

    public override bool CanSeek => true;

    public override bool CanWrite => false;

    public override long Length => length;

    public override long Position
    {
        get => position;
        set
        {
            if (value != position)
            {
                throw new NotSupportedException();
            }
        }
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override int Read(Span<byte> buffer)
    {
        var part = buffer[..(int)Math.Min(buffer.Length, length - position)];
        return Took(inner.Read(part), part);
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        var part = buffer[..(int)Math.Min(buffer.Length, length - position)];
        return Took(await inner.ReadAsync(part, cancellationToken).ConfigureAwait(false), part.Span);
    }

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        inner.Dispose();
        base.Dispose(disposing);
    }

    private int Took(int count, Span<byte> part)
    {
        if (count == 0 && part.Length > 0)
        {
            part.Clear();
            count = part.Length;
        }

        position += count;
        return count;
    }
}
