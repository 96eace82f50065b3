using EdgeVirt.Contracts.Protos;
using Google.Protobuf;

namespace EdgeVirt.Contracts.Channels;

/// <summary>The data of a channel's messages as a stream; it ends with the message that says so, and breaks where that does not come.</summary>
/// <param name="messages">From the other side.</param>
public sealed class MessageReadStream(IAsyncEnumerable<StreamMessage> messages) : OneWayStream
{
    private readonly IAsyncEnumerator<StreamMessage> messages = messages.GetAsyncEnumerator();
    private ReadOnlyMemory<byte> left;
    private bool isEnded;

    /// <summary>Bytes so far.</summary>
    public long Bytes { get; private set; }

    /// <inheritdoc/>
    public override bool CanRead => true;

    /// <inheritdoc/>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        while (left.IsEmpty && !isEnded && !buffer.IsEmpty)
        {
            if (!await messages.MoveNextAsync().ConfigureAwait(false))
            {
                throw new IOException("the transfer broke off");
            }

            isEnded = messages.Current.KindCase == StreamMessage.KindOneofCase.End;
            left = messages.Current.Data.Memory;
        }

        var count = Math.Min(left.Length, buffer.Length);
        left[..count].CopyTo(buffer);
        left = left[count..];
        Bytes += count;
        return count;
    }

    /// <inheritdoc/>
    public override async ValueTask DisposeAsync()
    {
        await messages.DisposeAsync().ConfigureAwait(false);
        await base.DisposeAsync().ConfigureAwait(false);
    }
}

/// <summary>A stream whose bytes go out as messages. <see cref="EndAsync"/> says that all is there.</summary>
/// <param name="send">Sends a message.</param>
public sealed class MessageWriteStream(Func<StreamMessage, CancellationToken, Task> send) : OneWayStream
{
    private readonly byte[] buffer = new byte[StreamMessages.DataBytes];
    private int length;

    /// <summary>Bytes so far.</summary>
    public long Bytes { get; private set; }

    /// <inheritdoc/>
    public override bool CanWrite => true;

    /// <inheritdoc/>
    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        Bytes += buffer.Length;
        while (!buffer.IsEmpty)
        {
            var count = Math.Min(buffer.Length, this.buffer.Length - length);
            buffer[..count].CopyTo(this.buffer.AsMemory(length));
            length += count;
            buffer = buffer[count..];
            if (length == this.buffer.Length)
            {
                await SendAsync(cancellationToken).ConfigureAwait(false);
            }
        }
    }

    /// <summary>Sends what is left, and that it was all.</summary>
    public async Task EndAsync(CancellationToken ct)
    {
        await SendAsync(ct).ConfigureAwait(false);
        await send(new StreamMessage { End = true }, ct).ConfigureAwait(false);
    }

    private async Task SendAsync(CancellationToken ct)
    {
        if (length > 0)
        {
            await send(new StreamMessage { Data = ByteString.CopyFrom(buffer, 0, length) }, ct).ConfigureAwait(false);
            length = 0;
        }
    }
}

/// <summary>What is common to streams that only read or only write, and only asynchronously.</summary>
public abstract class OneWayStream : Stream
{
    /// <inheritdoc/>
    public override bool CanRead => false;

    /// <inheritdoc/>
    public override bool CanSeek => false;

    /// <inheritdoc/>
    public override bool CanWrite => false;

    /// <inheritdoc/>
    public override long Length => throw new NotSupportedException();

    /// <inheritdoc/>
    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <inheritdoc/>
    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    /// <inheritdoc/>
    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    /// <inheritdoc/>
    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void Flush()
    {
    }

    /// <inheritdoc/>
    public override Task FlushAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc/>
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void SetLength(long value) => throw new NotSupportedException();
}
