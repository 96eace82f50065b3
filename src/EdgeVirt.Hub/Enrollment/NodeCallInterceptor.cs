using Grpc.Core;
using Grpc.Core.Interceptors;

namespace EdgeVirt.Hub.Enrollment;

/// <summary>Lets only nodes in, and tells the service which node calls. For streams in both directions, which is what nodes have.</summary>
internal sealed class NodeCallInterceptor(NodeAuthentication authentication, RefusedAttempts refused) : Interceptor
{
    private static readonly object NodeKey = new();

    /// <summary>The node that made the call.</summary>
    public static NodeIdentity NodeOf(ServerCallContext context) => (NodeIdentity)context.UserState[NodeKey];

    public override async Task DuplexStreamingServerHandler<TRequest, TResponse>(
        IAsyncStreamReader<TRequest> requestStream,
        IServerStreamWriter<TResponse> responseStream,
        ServerCallContext context,
        DuplexStreamingServerMethod<TRequest, TResponse> continuation)
    {
        var connection = context.GetHttpContext().Connection;
        var check = authentication.Check(connection.ClientCertificate);
        if (check.Node is not { } node)
        {
            var actor = check.Claimed is null ? connection.RemoteIpAddress?.ToString() ?? "unknown address" : $"node/{check.Claimed}";
            await refused.RecordAsync(
                connection.RemoteIpAddress, actor, $"call {context.Method}", $"{check.Reason} (from {connection.RemoteIpAddress})", context.CancellationToken);
            throw new RpcException(new Status(StatusCode.Unauthenticated, $"Refused: {check.Reason}."));
        }

        context.UserState[NodeKey] = node;
        await continuation(requestStream, responseStream, context);
    }
}
