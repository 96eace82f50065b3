using System.Runtime.CompilerServices;
using EdgeVirt.Contracts.Channels;
using EdgeVirt.Contracts.Protos;
using Google.Protobuf;

namespace EdgeVirt.Hub.Tunnels;

/// <summary>
/// One channel to a node. Each side sends no more than the other's window allows, and the window grows as data is read, so a
/// slow reader holds back its own channel and no other. Dispose closes the channel on the node too.
/// </summary>
internal sealed class NodeChannel : IAsyncDisposable
{
    /// <summary>Bytes that the node may send ahead of the reader.</summary>
    public const int Window = 256 << 10;

    private const int MostFrameBytes = 32 << 10;

    private readonly NodeTunnel tunnel;
    private readonly uint id;
    private readonly SendWindow allowed = new();
    private readonly ReceiveWindow received;
    private int ended;

    public NodeChannel(NodeTunnel tunnel, uint id)
    {
        (this.tunnel, this.id) = (tunnel, id);
        received = new ReceiveWindow(Window, isGranted: true, (bytes, ct) => tunnel.TrySendAsync(new TunnelFrame { Channel = id, Window = bytes }, ct));
    }

    /// <summary>Why the node closed the channel; null while it is open.</summary>
    public CloseChannel? Closed { get; private set; }

    /// <summary>The data frames, until the node closes the channel; then <see cref="Closed"/> says why.</summary>
    /// <exception cref="NodeUnreachableException">The node went away in between.</exception>
    public async IAsyncEnumerable<ReadOnlyMemory<byte>> ReadAllAsync([EnumeratorCancellation] CancellationToken ct)
    {
        await foreach (var data in received.ReadAllAsync(ct))
        {
            yield return data;
        }
    }

    /// <summary>Sends data, waiting where the node has not kept up. One call at a time. Nothing happens once the node has closed.</summary>
    public async Task SendAsync(ReadOnlyMemory<byte> data, CancellationToken ct)
    {
        while (!data.IsEmpty)
        {
            var size = await allowed.TakeAsync(Math.Min(data.Length, MostFrameBytes), ct);
            await tunnel.TrySendAsync(new TunnelFrame { Channel = id, Data = ByteString.CopyFrom(data.Span[..size]) }, ct);
            data = data[size..];
        }
    }

    /// <summary>Takes a data frame from the node; false if it is beyond the window.</summary>
    internal bool TryTake(ReadOnlyMemory<byte> data) => received.TryTake(data);

    internal void TakeWindow(uint bytes) => allowed.Allow(bytes);

    internal void TakeClose(CloseChannel close)
    {
        Closed = close;
        Volatile.Write(ref ended, 1);
        received.Complete();
    }

    internal void Break(NodeUnreachableException reason)
    {
        Volatile.Write(ref ended, 1);
        received.Complete(reason);
    }

    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref ended, 1) == 0)
        {
            received.Complete();
            await tunnel.TrySendAsync(
                new TunnelFrame { Channel = id, Close = new CloseChannel { Reason = CloseReason.Done } }, CancellationToken.None);
        }

        tunnel.Forget(id);
    }
}
