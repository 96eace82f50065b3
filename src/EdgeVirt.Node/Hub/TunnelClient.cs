using EdgeVirt.Contracts.Protos;
using EdgeVirt.Node.Control;
using EdgeVirt.Node.Reconcile;
using Grpc.Core;
using Microsoft.Extensions.Logging;

namespace EdgeVirt.Node.Hub;

/// <summary>Dials the hub when it wants a channel, serves channels in that one stream, and hangs up when none was open for a while.</summary>
internal sealed partial class TunnelClient(
    HubChannels channels, ChannelServer server, MqttLink link, TimeProvider time, ILogger<TunnelClient> log)
{
    private static readonly TimeSpan Idle = TimeSpan.FromSeconds(60);

    /// <summary>Runs until cancelled.</summary>
    public async Task RunAsync(CancellationToken ct)
    {
        var wake = new WakeSignal();
        var backoff = new Backoff(TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(30));
        void OnPoke(PokeReason reason)
        {
            if (reason == PokeReason.Tunnel)
            {
                wake.Set();
            }
        }

        link.Poked += OnPoke;
        try
        {
            while (true)
            {
                await wake.WaitAsync(Timeout.InfiniteTimeSpan, time, ct);
                try
                {
                    await ServeAsync(ct);
                    backoff.Reset();
                }
                catch (HubUnavailableException e)
                {
                    LogFailed(e.Message);
                    await Task.Delay(backoff.Next(), time, ct);
                }
            }
        }
        finally
        {
            link.Poked -= OnPoke;
        }
    }

    private async Task ServeAsync(CancellationToken ct)
    {
        using var connection = channels.Open();
        using var call = new Tunnel.TunnelClient(connection.Invoker).Connect(cancellationToken: ct);
        try
        {
            await server.ServeAsync(new GrpcFrames(call), isLocal: false, Idle, ct);
            await call.RequestStream.CompleteAsync();
        }
        catch (RpcException e) when (e.StatusCode == StatusCode.Cancelled && ct.IsCancellationRequested)
        {
            throw new OperationCanceledException(ct);
        }
        catch (RpcException e)
        {
            throw connection.Explain(e);
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The tunnel to the hub failed: {Reason}")]
    private partial void LogFailed(string reason);

    private sealed class GrpcFrames(AsyncDuplexStreamingCall<TunnelFrame, TunnelFrame> call) : IFrameStream
    {
        public async Task<TunnelFrame?> ReadAsync(CancellationToken ct) =>
            await call.ResponseStream.MoveNext(ct) ? call.ResponseStream.Current : null;

        public Task WriteAsync(TunnelFrame frame, CancellationToken ct) => call.RequestStream.WriteAsync(frame, ct);
    }
}
