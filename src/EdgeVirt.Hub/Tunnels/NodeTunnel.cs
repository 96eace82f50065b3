using System.Collections.Concurrent;
using System.Threading.Channels;
using EdgeVirt.Contracts.Protos;
using Grpc.Core;

namespace EdgeVirt.Hub.Tunnels;

/// <summary>The one stream that a node dialled, with the channels in it.</summary>
internal sealed class NodeTunnel(string node) : IDisposable
{
    // Each channel adds no more than its window, so few suffice; a close or a resize waits for those before it.
    private const int QueuedFrames = 16;

    private readonly Channel<TunnelFrame> outgoing = Channel.CreateBounded<TunnelFrame>(new BoundedChannelOptions(QueuedFrames) { SingleReader = true });
    private readonly ConcurrentDictionary<uint, NodeChannel> channels = new();
    private readonly CancellationTokenSource ending = new();
    private uint lastChannel;

    /// <summary>Whose it is.</summary>
    public string Node => node;

    /// <summary>Opens a channel; null if the stream is at its end.</summary>
    public async Task<NodeChannel?> TryOpenAsync(OpenChannel open, CancellationToken ct)
    {
        var id = Interlocked.Increment(ref lastChannel);
        var channel = new NodeChannel(this, id);
        channels[id] = channel;
        var request = open.Clone();
        request.Window = NodeChannel.Window;
        if (await TrySendAsync(new TunnelFrame { Channel = id, Open = request }, ct))
        {
            return channel;
        }

        channels.TryRemove(id, out _);
        return null;
    }

    /// <summary>Serves the stream until the node ends it or is gone.</summary>
    public async Task RunAsync(IAsyncStreamReader<TunnelFrame> incoming, IServerStreamWriter<TunnelFrame> stream, CancellationToken ct)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(ct, ending.Token);
        var writing = WriteAsync(stream, either.Token);
        try
        {
            while (await incoming.MoveNext(either.Token))
            {
                Take(incoming.Current);
            }
        }
        catch (Exception e) when (e is OperationCanceledException or IOException || e is RpcException { StatusCode: StatusCode.Cancelled })
        {
            // The node is gone, was revoked, or has dialled anew.
        }
        finally
        {
            outgoing.Writer.TryComplete();
            await either.CancelAsync();
            var gone = new NodeUnreachableException($"Node '{node}' went away.");
            foreach (var channel in channels.Values)
            {
                channel.Break(gone);
            }

            await writing;
        }
    }

    /// <summary>Ends the stream.</summary>
    public void End() => ending.Cancel();

    public void Dispose() => ending.Dispose();

    internal async Task<bool> TrySendAsync(TunnelFrame frame, CancellationToken ct)
    {
        try
        {
            await outgoing.Writer.WriteAsync(frame, ct);
            return true;
        }
        catch (ChannelClosedException)
        {
            return false;
        }
    }

    internal void Forget(uint id) => channels.TryRemove(id, out _);

    private void Take(TunnelFrame frame)
    {
        // Frames of a channel that was closed here may still be on their way.
        if (!channels.TryGetValue(frame.Channel, out var channel))
        {
            return;
        }

        switch (frame.KindCase)
        {
            case TunnelFrame.KindOneofCase.Data when !channel.TryTake(frame.Data.Memory):
                throw new RpcException(new Status(StatusCode.ResourceExhausted, $"Channel {frame.Channel} sent more than its window."));
            case TunnelFrame.KindOneofCase.Window:
                channel.TakeWindow(frame.Window);
                break;
            case TunnelFrame.KindOneofCase.Close:
                channel.TakeClose(frame.Close);
                channels.TryRemove(frame.Channel, out _);
                break;
        }
    }

    private async Task WriteAsync(IServerStreamWriter<TunnelFrame> stream, CancellationToken ct)
    {
        try
        {
            await foreach (var frame in outgoing.Reader.ReadAllAsync(ct))
            {
                await stream.WriteAsync(frame, ct);
            }
        }
        catch (Exception e) when (e is OperationCanceledException or InvalidOperationException or IOException or RpcException)
        {
            // A stream that cannot be written is at its end; the reading side sees the same.
            End();
        }
    }
}
