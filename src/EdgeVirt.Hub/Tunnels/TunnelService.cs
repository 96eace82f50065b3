using EdgeVirt.Contracts.Protos;
using EdgeVirt.Hub.Enrollment;
using Grpc.Core;

namespace EdgeVirt.Hub.Tunnels;

/// <summary>Where nodes dial in; see tunnel.proto.</summary>
internal sealed class TunnelService(NodeChannels channels) : Tunnel.TunnelBase
{
    public override async Task Connect(
        IAsyncStreamReader<TunnelFrame> requestStream, IServerStreamWriter<TunnelFrame> responseStream, ServerCallContext context)
    {
        var identity = NodeCallInterceptor.NodeOf(context);
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(context.CancellationToken, identity.Revoked);
        using var tunnel = new NodeTunnel(identity.Node);
        channels.Arrived(tunnel);
        try
        {
            await tunnel.RunAsync(requestStream, responseStream, ending.Token);
        }
        finally
        {
            channels.Left(tunnel);
        }
    }
}
