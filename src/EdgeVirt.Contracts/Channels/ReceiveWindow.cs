using System.Runtime.CompilerServices;
using System.Threading.Channels;

namespace EdgeVirt.Contracts.Channels;

/// <summary>
/// Data of a channel that came and was not read yet: never more than a window, which moves on as data is read. So a slow
/// reader holds back its own channel and no other. One reader and one writer.
/// </summary>
/// <param name="size">Bytes that may lie here.</param>
/// <param name="isGranted">Whether the sender knows of the window already; else it is told when reading begins.</param>
/// <param name="grant">Tells the sender that it may send so many bytes in addition.</param>
public sealed class ReceiveWindow(int size, bool isGranted, Func<uint, CancellationToken, Task> grant)
{
    // Unbounded in frames and bounded in bytes, by the window; empty frames are not kept.
    private readonly Channel<ReadOnlyMemory<byte>> received = Channel.CreateUnbounded<ReadOnlyMemory<byte>>(
        new UnboundedChannelOptions { SingleReader = true, SingleWriter = true });

    private int allowed = isGranted ? size : 0;

    /// <summary>Takes what came; false if it is beyond the window.</summary>
    public bool TryTake(ReadOnlyMemory<byte> data)
    {
        if (Interlocked.Add(ref allowed, -data.Length) < 0)
        {
            return false;
        }

        // Refused only after the end, when nobody reads any more.
        _ = data.IsEmpty || received.Writer.TryWrite(data);
        return true;
    }

    /// <summary>Nothing more comes; with a reason, the reader gets to know it after what is here.</summary>
    public void Complete(Exception? reason = null) => received.Writer.TryComplete(reason);

    /// <summary>What came, until <see cref="Complete"/>.</summary>
    public async IAsyncEnumerable<ReadOnlyMemory<byte>> ReadAllAsync([EnumeratorCancellation] CancellationToken ct)
    {
        if (!isGranted)
        {
            await GrantAsync(size, ct).ConfigureAwait(false);
        }

        var consumed = 0;
        await foreach (var data in received.Reader.ReadAllAsync(ct).ConfigureAwait(false))
        {
            yield return data;
            consumed += data.Length;
            if (consumed >= size / 2)
            {
                await GrantAsync(consumed, ct).ConfigureAwait(false);
                consumed = 0;
            }
        }
    }

    private Task GrantAsync(int bytes, CancellationToken ct)
    {
        Interlocked.Add(ref allowed, bytes);
        return grant((uint)bytes, ct);
    }
}
