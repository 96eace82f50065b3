using System.Net;
using EdgeVirt.Contracts;
using EdgeVirt.Hub.Enrollment;
using MQTTnet.Formatter;
using MQTTnet.Protocol;
using MQTTnet.Server;

namespace EdgeVirt.Hub.Broker;

/// <summary>Who may connect and subscribe: a node under its own name, to its own downstream topics.</summary>
internal sealed class BrokerAccess(NodeAuthentication authentication, RefusedAttempts refused)
{
    public async Task ValidateAsync(ValidatingConnectionEventArgs args)
    {
        var check = authentication.Check(args.ClientCertificate);
        var (code, reason) = check.Node is not { } node
            ? (MqttConnectReasonCode.NotAuthorized, check.Reason)
            : args.ProtocolVersion != MqttProtocolVersion.V500
                ? (MqttConnectReasonCode.UnsupportedProtocolVersion, "the hub speaks MQTT 5 only")
                : args.ClientId != node.Node
                    ? (MqttConnectReasonCode.ClientIdentifierNotValid, "the client id must be the node's name")
                    : args.CleanSession != true || args.SessionExpiryInterval != 0
                        ? (MqttConnectReasonCode.ImplementationSpecificError, "only clean sessions that end with the connection are served")
                        : (MqttConnectReasonCode.Success, "");
        args.ReasonCode = code;
        if (code == MqttConnectReasonCode.Success)
        {
            args.SessionItems[NodeConnection.ItemKey] = new NodeConnection(check.Node!);
            return;
        }

        args.ReasonString = reason;
        await RefuseAsync(args.RemoteEndPoint, check.Claimed, "mqtt connect", reason, args.CancellationToken);
    }

    public async Task SubscribeAsync(InterceptingSubscriptionEventArgs args)
    {
        var connection = args.SessionItems[NodeConnection.ItemKey] as NodeConnection;
        if (connection is not null && args.TopicFilter.Topic == Topic.DownstreamFilter(connection.Node))
        {
            return;
        }

        args.ProcessSubscription = false;
        args.CloseConnection = true;
        args.Response.ReasonCode = MqttSubscribeReasonCode.NotAuthorized;
        await RefuseAsync(
            null, connection?.Node ?? args.ClientId, "mqtt subscribe", $"'{args.TopicFilter.Topic}' is not the node's own downstream filter", args.CancellationToken);
    }

    /// <summary>Puts a refusal on the audit log.</summary>
    public Task RefuseAsync(EndPoint? remote, string? node, string action, string reason, CancellationToken ct)
    {
        var address = (remote as IPEndPoint)?.Address;
        return refused.RecordAsync(address, node is null ? address?.ToString() ?? "unknown address" : $"node/{node}", action, reason, ct);
    }
}
