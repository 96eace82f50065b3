using System.Net;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;

namespace EdgeVirt.Node.Containers.Probes;

/// <summary>
/// gRPC's health checking protocol (grpc/doc/health-checking.md): <c>HealthCheckRequest { string service = 1; }</c> is
/// answered by <c>HealthCheckResponse { ServingStatus status = 1; }</c>.
/// </summary>
internal static class GrpcHealth
{
    private const string Serving = "SERVING";
    private static readonly string[] Statuses = ["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"];

    private static readonly Method<string, string> Check = new(
        MethodType.Unary, "grpc.health.v1.Health", "Check", Marshallers.Create(BytesOf, _ => ""), Marshallers.Create<string>(_ => [], StatusIn));

    /// <summary>Asks once, without TLS.</summary>
    /// <param name="at">Where.</param>
    /// <param name="service">Empty: the server as a whole.</param>
    /// <param name="handler">Opens the connection; is disposed of.</param>
    /// <param name="ct">Gives up.</param>
    /// <exception cref="RpcException">There was no answer of this protocol.</exception>
    public static async Task<ActionAnswer> CheckAsync(IPEndPoint at, string service, SocketsHttpHandler handler, CancellationToken ct)
    {
        using var channel = GrpcChannel.ForAddress($"http://{at}", new GrpcChannelOptions { HttpHandler = handler, DisposeHttpClient = true });
        using var call = channel.CreateCallInvoker().AsyncUnaryCall(Check, null, new CallOptions(cancellationToken: ct), service);
        var status = await call.ResponseAsync;
        return status == Serving ? ActionAnswer.Success : ActionAnswer.Failed($"it is {status}");
    }

    internal static byte[] BytesOf(string service)
    {
        using var bytes = new MemoryStream();
        using var output = new CodedOutputStream(bytes);
        if (service.Length > 0)
        {
            output.WriteTag(1, WireFormat.WireType.LengthDelimited);
            output.WriteString(service);
        }

        output.Flush();
        return bytes.ToArray();
    }

    /// <summary>The status' name.</summary>
    internal static string StatusIn(byte[] bytes)
    {
        using var input = new CodedInputStream(bytes);
        var status = 0;
        uint tag;
        while ((tag = input.ReadTag()) != 0)
        {
            if (tag == WireFormat.MakeTag(1, WireFormat.WireType.Varint))
            {
                status = input.ReadEnum();
            }
            else
            {
                input.SkipLastField();
            }
        }

        return status >= 0 && status < Statuses.Length ? Statuses[status] : $"status {status}";
    }
}
