namespace EdgeVirt.Hub.Broker;

/// <summary>
/// Ends a connection that announces an MQTT packet beyond a size, before memory is set aside for it: follows the fixed
/// headers (MQTT 5, 2.1.4: one byte of type, up to four of length, seven bits each) through the bytes that are read.
/// </summary>
internal sealed class PacketSizeGuard(Stream inner, int maxPacketBytes) : Stream
{
    private const int MaxLengthBytes = 4;

    private int lengthBytes = -1;
    private int length;
    private int bodyLeft;

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override int Read(byte[] buffer, int offset, int count) => Check(buffer.AsSpan(offset, count), inner.Read(buffer, offset, count));

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        var read = await inner.ReadAsync(buffer, cancellationToken);
        return Check(buffer.Span, read);
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override void Write(byte[] buffer, int offset, int count) => inner.Write(buffer, offset, count);

    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) =>
        inner.WriteAsync(buffer, cancellationToken);

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        inner.WriteAsync(buffer, offset, count, cancellationToken);

    public override void Flush() => inner.Flush();

    public override Task FlushAsync(CancellationToken cancellationToken) => inner.FlushAsync(cancellationToken);

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            inner.Dispose();
        }

        base.Dispose(disposing);
    }

    private int Check(ReadOnlySpan<byte> buffer, int read)
    {
        for (var at = 0; at < read;)
        {
            if (bodyLeft > 0)
            {
                var skip = Math.Min(bodyLeft, read - at);
                bodyLeft -= skip;
                at += skip;
                continue;
            }

            var next = buffer[at++];
            if (lengthBytes < 0)
            {
                (lengthBytes, length) = (0, 0);
                continue;
            }

            length |= (next & 0x7F) << (7 * lengthBytes++);
            if (lengthBytes > MaxLengthBytes || length > maxPacketBytes)
            {
                throw new IOException($"An MQTT packet of more than {maxPacketBytes} bytes was announced.");
            }

            if ((next & 0x80) == 0)
            {
                (bodyLeft, lengthBytes) = (length, -1);
            }
        }

        return read;
    }
}
