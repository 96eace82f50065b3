using EdgeVirt.Contracts.Channels;
using EdgeVirt.Contracts.Protos;
using Google.Protobuf;

namespace EdgeVirt.Hub.Tunnels;

/// <summary>
/// Carries one channel between a caller's WebSocket and a node. Both ends keep to windows of their own, so that the hub holds
/// no more than these of any channel, and a caller who does not read stops what it asked for and nothing else.
/// </summary>
internal sealed class ChannelRelay(WebSocketFrames caller, NodeChannel node, uint id, uint callerWindow)
{
    /// <summary>Bytes that the caller may send ahead of the node.</summary>
    public const int Window = 64 << 10;

    private const int MostFrameBytes = 32 << 10;

    private readonly SendWindow allowed = new(callerWindow);
    private readonly ReceiveWindow received = new(
        Window, isGranted: false, (bytes, ct) => caller.WriteAsync(new TunnelFrame { Channel = id, Window = bytes }, ct));

    /// <summary>
    /// What the caller sends is read to its end, also after the relay: a WebSocket whose reading is cancelled cannot be written
    /// to any more.
    /// </summary>
    public Task Reading { get; private set; } = Task.CompletedTask;

    /// <summary>Runs until the node closes the channel, or the caller closes it or is gone.</summary>
    /// <returns>Why the node closed; null: the caller left.</returns>
    /// <exception cref="NodeUnreachableException">The node went away in between.</exception>
    /// <exception cref="InvalidDataException">The caller does not keep to the protocol.</exception>
    public async Task<CloseChannel?> RunAsync(CancellationToken ct)
    {
        using var over = CancellationTokenSource.CreateLinkedTokenSource(ct);
        Reading = ReadCallerAsync(ct);
        var toNode = ToNodeAsync(over.Token);
        var toCaller = ToCallerAsync(over.Token);
        try
        {
            if (await Task.WhenAny(toCaller, Reading) == Reading)
            {
                await Reading;
                return null;
            }

            await toCaller;
            return node.Closed;
        }
        finally
        {
            await over.CancelAsync();
            await Task.WhenAll(toNode, toCaller).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task ReadCallerAsync(CancellationToken ct)
    {
        while (await caller.ReadAsync(ct) is { } frame)
        {
            switch (frame.KindCase)
            {
                case TunnelFrame.KindOneofCase.Data when !received.TryTake(frame.Data.Memory):
                    throw new InvalidDataException("More was sent than the window allows.");
                case TunnelFrame.KindOneofCase.Window:
                    allowed.Allow(frame.Window);
                    break;
                case TunnelFrame.KindOneofCase.Close:
                    return;
                case TunnelFrame.KindOneofCase.Open:
                    throw new InvalidDataException("One WebSocket carries one channel.");
            }
        }
    }

    private async Task ToNodeAsync(CancellationToken ct)
    {
        await foreach (var data in received.ReadAllAsync(ct))
        {
            await node.SendAsync(data, ct);
        }
    }

    private async Task ToCallerAsync(CancellationToken ct)
    {
        await foreach (var data in node.ReadAllAsync(ct))
        {
            for (var left = data; !left.IsEmpty;)
            {
                var size = await allowed.TakeAsync(Math.Min(left.Length, MostFrameBytes), ct);
                await caller.WriteAsync(new TunnelFrame { Channel = id, Data = ByteString.CopyFrom(left.Span[..size]) }, ct);
                left = left[size..];
            }
        }
    }
}
