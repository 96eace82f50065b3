using System.Threading.Channels;
using EdgeVirt.Contracts.Channels;
using EdgeVirt.Contracts.Protos;
using Google.Protobuf;

namespace EdgeVirt.Node.Control;

/// <summary>The sending half of a channel: keeps to the window that the receiver allows.</summary>
internal sealed class ChannelSender(uint channel, ChannelWriter<TunnelFrame> frames, uint window)
{
    /// <summary>Most bytes of data in a frame.</summary>
    public const int MostBytes = 32 << 10;

    private readonly SendWindow allowed = new(window);

    /// <summary>The receiver allows so many bytes in addition.</summary>
    public void Allow(uint bytes) => allowed.Allow(bytes);

    /// <summary>Sends bytes, waiting where the receiver has not kept up. One call at a time.</summary>
    public async Task SendAsync(ReadOnlyMemory<byte> data, CancellationToken ct)
    {
        while (!data.IsEmpty)
        {
            var size = await allowed.TakeAsync(Math.Min(data.Length, MostBytes), ct);
            await frames.WriteAsync(new TunnelFrame { Channel = channel, Data = ByteString.CopyFrom(data.Span[..size]) }, ct);
            data = data[size..];
        }
    }
}
