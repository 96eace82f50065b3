using System.Runtime.CompilerServices;
using System.Threading.Channels;
using EdgeVirt.Contracts.Protos;

namespace EdgeVirt.Hub.Tunnels;

/// <summary>
/// One channel to a node. The node sends no more than the window allows, and the window grows as data is read, so a slow
/// reader holds back its own channel and no other. Dispose closes the channel on the node too.
/// </summary>
internal sealed class NodeChannel(NodeTunnel tunnel, uint id) : IAsyncDisposable
{
    /// <summary>Bytes that the node may send ahead of the reader.</summary>
    public const int Window = 256 << 10;

    // Unbounded in frames and bounded in bytes, by the window; empty frames are not kept.
    private readonly Channel<ReadOnlyMemory<byte>> received = Channel.CreateUnbounded<ReadOnlyMemory<byte>>(
        new UnboundedChannelOptions { SingleReader = true, SingleWriter = true });

    private int allowed = Window;
    private int consumed;
    private int ended;

    /// <summary>Why the node closed the channel; null while it is open.</summary>
    public CloseChannel? Closed { get; private set; }

    /// <summary>The data frames, until the node closes the channel; then <see cref="Closed"/> says why.</summary>
    /// <exception cref="NodeUnreachableException">The node went away in between.</exception>
    public async IAsyncEnumerable<ReadOnlyMemory<byte>> ReadAllAsync([EnumeratorCancellation] CancellationToken ct)
    {
        await foreach (var data in received.Reader.ReadAllAsync(ct))
        {
            yield return data;
            consumed += data.Length;
            if (consumed >= Window / 2)
            {
                var grant = consumed;
                consumed = 0;
                Interlocked.Add(ref allowed, grant);
                await tunnel.TrySendAsync(new TunnelFrame { Channel = id, Window = (uint)grant }, ct);
            }
        }
    }

    /// <summary>Takes a data frame from the node; false if it is beyond the window.</summary>
    internal bool TryTake(ReadOnlyMemory<byte> data)
    {
        if (Interlocked.Add(ref allowed, -data.Length) < 0)
        {
            return false;
        }

        return data.IsEmpty || received.Writer.TryWrite(data) || Volatile.Read(ref ended) != 0;
    }

    internal void TakeClose(CloseChannel close)
    {
        Closed = close;
        Volatile.Write(ref ended, 1);
        received.Writer.TryComplete();
    }

    internal void Break(NodeUnreachableException reason)
    {
        Volatile.Write(ref ended, 1);
        received.Writer.TryComplete(reason);
    }

    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref ended, 1) == 0)
        {
            received.Writer.TryComplete();
            await tunnel.TrySendAsync(
                new TunnelFrame { Channel = id, Close = new CloseChannel { Reason = CloseReason.Done } }, CancellationToken.None);
        }

        tunnel.Forget(id);
    }
}
