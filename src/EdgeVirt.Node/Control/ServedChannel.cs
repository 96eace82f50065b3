using System.Threading.Channels;
using EdgeVirt.Contracts.Channels;
using EdgeVirt.Contracts.Protos;

namespace EdgeVirt.Node.Control;

/// <summary>
/// Both halves of a channel, as a verb sees them. The other side may send nothing until the verb begins to read, and then
/// no more than a window ahead of it.
/// </summary>
internal sealed class ServedChannel(uint channel, ChannelWriter<TunnelFrame> frames, uint window)
{
    /// <summary>Bytes that the other side may send ahead of the verb.</summary>
    public const int Window = 64 << 10;

    private readonly ChannelSender sender = new(channel, frames, window);
    private readonly ReceiveWindow received = new(
        Window, isGranted: false, (bytes, ct) => frames.WriteAsync(new TunnelFrame { Channel = channel, Window = bytes }, ct).AsTask());

    /// <summary>Whether the other side sent more than it may.</summary>
    public bool IsOverrun { get; private set; }

    /// <summary>The receiver allows so many bytes in addition.</summary>
    public void Allow(uint bytes) => sender.Allow(bytes);

    /// <summary>Sends bytes, waiting where the receiver has not kept up. One call at a time.</summary>
    public Task SendAsync(ReadOnlyMemory<byte> data, CancellationToken ct) => sender.SendAsync(data, ct);

    /// <summary>What the other side sends, until it closes the channel.</summary>
    public IAsyncEnumerable<ReadOnlyMemory<byte>> ReadAllAsync(CancellationToken ct) => received.ReadAllAsync(ct);

    /// <summary>Takes a data frame; false if it is beyond the window.</summary>
    internal bool TryTake(ReadOnlyMemory<byte> data)
    {
        IsOverrun |= !received.TryTake(data);
        return !IsOverrun;
    }
}
