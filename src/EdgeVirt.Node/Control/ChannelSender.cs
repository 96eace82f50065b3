using System.Threading.Channels;
using EdgeVirt.Contracts.Protos;
using Google.Protobuf;

namespace EdgeVirt.Node.Control;

/// <summary>The sending half of a channel: keeps to the window that the receiver allows.</summary>
internal sealed class ChannelSender(uint channel, ChannelWriter<TunnelFrame> frames, uint window)
{
    /// <summary>Most bytes of data in a frame.</summary>
    public const int MostBytes = 32 << 10;

    private readonly Lock gate = new();
    private long allowed = window;
    private TaskCompletionSource? more;

    /// <summary>The receiver allows so many bytes in addition.</summary>
    public void Allow(uint bytes)
    {
        TaskCompletionSource? waiting;
        lock (gate)
        {
            allowed += bytes;
            (waiting, more) = (more, null);
        }

        waiting?.SetResult();
    }

    /// <summary>Sends bytes, waiting where the receiver has not kept up. One call at a time.</summary>
    public async Task SendAsync(ReadOnlyMemory<byte> data, CancellationToken ct)
    {
        while (!data.IsEmpty)
        {
            var size = await TakeAsync(Math.Min(data.Length, MostBytes), ct);
            await frames.WriteAsync(new TunnelFrame { Channel = channel, Data = ByteString.CopyFrom(data.Span[..size]) }, ct);
            data = data[size..];
        }
    }

    private async Task<int> TakeAsync(int wanted, CancellationToken ct)
    {
        while (true)
        {
            Task wait;
            lock (gate)
            {
                if (allowed > 0)
                {
                    var taken = (int)Math.Min(allowed, wanted);
                    allowed -= taken;
                    return taken;
                }

                more ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                wait = more.Task;
            }

            await wait.WaitAsync(ct);
        }
    }
}
