using System.Runtime.CompilerServices;
using EdgeVirt.Contracts.Protos;
using Google.Protobuf;

namespace EdgeVirt.Contracts.Channels;

/// <summary>StreamMessages out of data frames, and into them (tunnel.proto).</summary>
public static class StreamMessages
{
    /// <summary>Most bytes that a message may have. Senders stay well below.</summary>
    public const int MostBytes = 64 << 10;

    /// <summary>Bytes of data to put into a message, so that it and what is around it fit into one frame of 32 KiB.</summary>
    public const int DataBytes = 31 << 10;

    /// <summary>The messages in data that comes piece by piece; one may lie across pieces.</summary>
    /// <exception cref="InvalidDataException">What came are no messages, or it ends within one.</exception>
    public static async IAsyncEnumerable<StreamMessage> ReadAsync(
        IAsyncEnumerable<ReadOnlyMemory<byte>> pieces, [EnumeratorCancellation] CancellationToken ct)
    {
        var pending = Array.Empty<byte>();
        await foreach (var piece in pieces.WithCancellation(ct).ConfigureAwait(false))
        {
            var bytes = pending.Length == 0 ? piece : (byte[])[.. pending, .. piece.Span];
            while (TryRead(ref bytes, out var message))
            {
                yield return message;
            }

            pending = bytes.ToArray();
        }

        if (pending.Length > 0)
        {
            throw new InvalidDataException("the stream ends within a message");
        }
    }

    /// <summary>A message with its length before it.</summary>
    public static ReadOnlyMemory<byte> ToBytes(StreamMessage message)
    {
        using var buffer = new MemoryStream();
        message.WriteDelimitedTo(buffer);
        return buffer.GetBuffer().AsMemory(0, (int)buffer.Length);
    }

    private static bool TryRead(ref ReadOnlyMemory<byte> bytes, out StreamMessage message)
    {
        message = null!;
        var length = 0;
        var head = 0;
        while (true)
        {
            if (head == bytes.Length)
            {
                return false;
            }

            var next = bytes.Span[head];
            length |= (next & 0x7F) << (7 * head);
            head++;
            if ((next & 0x80) == 0)
            {
                break;
            }

            if (head == 3)
            {
                throw new InvalidDataException("the length of a message cannot be read");
            }
        }

        if (length > MostBytes)
        {
            throw new InvalidDataException($"a message of {length} bytes; {MostBytes} is the most");
        }

        if (bytes.Length - head < length)
        {
            return false;
        }

        try
        {
            message = StreamMessage.Parser.ParseFrom(bytes.Span.Slice(head, length));
        }
        catch (InvalidProtocolBufferException e)
        {
            throw new InvalidDataException($"a message cannot be read: {e.Message}", e);
        }

        bytes = bytes[(head + length)..];
        return true;
    }
}

/// <summary>Writes whole messages, also where several have something to send at once.</summary>
/// <param name="send">Sends bytes in order; one call at a time.</param>
public sealed class StreamMessageWriter(Func<ReadOnlyMemory<byte>, CancellationToken, Task> send) : IDisposable
{
    private readonly SemaphoreSlim turn = new(1, 1);

    /// <summary>Sends a message, waiting where the receiver has not kept up.</summary>
    public async Task WriteAsync(StreamMessage message, CancellationToken ct)
    {
        var bytes = StreamMessages.ToBytes(message);
        await turn.WaitAsync(ct).ConfigureAwait(false);
        try
        {
            await send(bytes, ct).ConfigureAwait(false);
        }
        finally
        {
            turn.Release();
        }
    }

    /// <summary>Sends what a stream gives, to its end. A stream that breaks is at its end.</summary>
    /// <param name="source">The stream.</param>
    /// <param name="wrap">The message around some bytes.</param>
    /// <param name="ct">Ends it.</param>
    public async Task CopyFromAsync(Stream source, Func<ByteString, StreamMessage> wrap, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(wrap);
        var buffer = new byte[StreamMessages.DataBytes];
        while (await ReadAsync(source, buffer, ct).ConfigureAwait(false) is var count and > 0)
        {
            await WriteAsync(wrap(ByteString.CopyFrom(buffer, 0, count)), ct).ConfigureAwait(false);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => turn.Dispose();

    private static async Task<int> ReadAsync(Stream source, byte[] buffer, CancellationToken ct)
    {
        try
        {
            return await source.ReadAsync(buffer, ct).ConfigureAwait(false);
        }
        catch (IOException)
        {
            return 0;
        }
    }
}
