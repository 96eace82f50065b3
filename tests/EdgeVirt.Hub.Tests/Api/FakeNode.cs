using System.Threading.Channels;
using EdgeVirt.Contracts.Channels;
using EdgeVirt.Contracts.Protos;
using EdgeVirt.Hub.Tunnels;
using Google.Protobuf;
using Grpc.Core;

namespace EdgeVirt.Hub.Tests.Api;

/// <summary>The far end of a tunnel, in this process: a test reads what the hub sends and answers as a node would.</summary>
internal sealed class FakeNode : IAsyncStreamReader<TunnelFrame>, IServerStreamWriter<TunnelFrame>, IAsyncDisposable
{
    private readonly Channel<TunnelFrame> toHub = Channel.CreateUnbounded<TunnelFrame>();
    private readonly Channel<TunnelFrame> fromHub = Channel.CreateUnbounded<TunnelFrame>();
    private readonly NodeChannels channels;
    private readonly NodeTunnel tunnel;
    private readonly Task running;

    public FakeNode(NodeChannels channels, string name)
    {
        this.channels = channels;
        tunnel = new NodeTunnel(name);
        channels.Arrived(tunnel);
        running = tunnel.RunAsync(this, this, CancellationToken.None);
    }

    public TunnelFrame Current { get; private set; } = null!;

    public WriteOptions? WriteOptions { get; set; }

    public async Task<bool> MoveNext(CancellationToken cancellationToken)
    {
        if (!await toHub.Reader.WaitToReadAsync(cancellationToken))
        {
            return false;
        }

        Current = await toHub.Reader.ReadAsync(cancellationToken);
        return true;
    }

    public Task WriteAsync(TunnelFrame message) => fromHub.Writer.WriteAsync(message).AsTask();

    public Task WriteAsync(TunnelFrame message, CancellationToken cancellationToken) => fromHub.Writer.WriteAsync(message, cancellationToken).AsTask();

    /// <summary>The next frame of a kind; those of other kinds before it are passed over.</summary>
    public async Task<TunnelFrame> NextAsync(TunnelFrame.KindOneofCase kind)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(10));
        while (true)
        {
            var frame = await fromHub.Reader.ReadAsync(limit.Token);
            if (frame.KindCase == kind)
            {
                return frame;
            }
        }
    }

    public bool TryNext(out TunnelFrame? frame) => fromHub.Reader.TryRead(out frame);

    public void Send(TunnelFrame frame) => toHub.Writer.TryWrite(frame);

    public void Send(uint channel, StreamMessage message) =>
        Send(new TunnelFrame { Channel = channel, Data = ByteString.CopyFrom(StreamMessages.ToBytes(message).Span) });

    public void Close(uint channel, CloseReason reason = CloseReason.Done, string message = "") =>
        Send(new TunnelFrame { Channel = channel, Close = new CloseChannel { Reason = reason, Message = message } });

    public async ValueTask DisposeAsync()
    {
        toHub.Writer.TryComplete();
        await running.WaitAsync(TimeSpan.FromSeconds(10));
        channels.Left(tunnel);
        tunnel.Dispose();
    }
}
