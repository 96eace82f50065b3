using System.Buffers;
using EdgeVirt.Contracts;
using EdgeVirt.Hub.Audit;
using Google.Protobuf;
using MQTTnet;
using MQTTnet.Protocol;

namespace EdgeVirt.Hub.Broker;

/// <summary>How a message is answered, and whether its sender is cut off.</summary>
internal readonly record struct UpstreamVerdict(
    MqttPubAckReasonCode Acknowledgement, string? Reason = null, MqttDisconnectReasonCode? Disconnect = null);

/// <summary>
/// Takes what nodes publish. A message is acknowledged with success only when it is safe; when storing it failed, the
/// node is told so (PUBACK with an error) and keeps it. A node that reaches beyond its own topics is cut off.
/// </summary>
internal sealed partial class UpstreamMessages
{
    /// <summary>Largest payload.</summary>
    public const int MaxPayloadBytes = 1 << 20;

    private readonly Dictionary<TopicChannel, IUpstream> channels;
    private readonly AuditLog audit;
    private readonly ILogger<UpstreamMessages> logger;

    public UpstreamMessages(IEnumerable<IUpstream> channels, AuditLog audit, ILogger<UpstreamMessages> logger)
    {
        this.channels = channels.ToDictionary(channel => channel.Channel);
        (this.audit, this.logger) = (audit, logger);
    }

    /// <summary>Never throws: a failure here must not end another message's way.</summary>
    public async Task<UpstreamVerdict> AcceptAsync(NodeConnection connection, MqttApplicationMessage message, CancellationToken ct)
    {
        try
        {
            if (RuleBroken(connection, message) is { } broken)
            {
                await audit.WriteAsync($"node/{connection.Node}", "mqtt publish", ok: false, broken.Reason!, CancellationToken.None);
                return broken;
            }

            _ = Topic.TryParse(message.Topic, out var topic);
            if (!channels.TryGetValue(topic.Channel, out var upstream))
            {
                return new UpstreamVerdict(MqttPubAckReasonCode.ImplementationSpecificError, "nothing takes this kind of message");
            }

            await upstream.AcceptAsync(connection, message.Payload.ToArray(), ct);
            return new UpstreamVerdict(MqttPubAckReasonCode.Success);
        }
        catch (Exception e) when (e is PayloadRefusedException or InvalidProtocolBufferException)
        {
            return await RefusePayloadAsync(connection, message.Topic, e.Message);
        }
        catch (OperationCanceledException) when (ct.IsCancellationRequested)
        {
            // The connection is ending: there is nobody to acknowledge to.
            return new UpstreamVerdict(MqttPubAckReasonCode.UnspecifiedError, "not stored");
        }
        catch (Exception e)
        {
            LogFailed(e, connection.Node, message.Topic);
            return new UpstreamVerdict(MqttPubAckReasonCode.UnspecifiedError, "not stored, send it again later");
        }
    }

    private static UpstreamVerdict? RuleBroken(NodeConnection connection, MqttApplicationMessage message)
    {
        if (connection.Identity.Revoked.IsCancellationRequested)
        {
            return Cut(MqttDisconnectReasonCode.NotAuthorized, "the node was revoked");
        }

        if (!Topic.TryParse(message.Topic, out var topic) || !topic.MayBePublishedBy(connection.Node))
        {
            return Cut(MqttDisconnectReasonCode.NotAuthorized, $"'{message.Topic}' is not the node's to publish on");
        }

        if (message.QualityOfServiceLevel == MqttQualityOfServiceLevel.ExactlyOnce)
        {
            return Cut(MqttDisconnectReasonCode.QoSNotSupported, "QoS 2 is not served");
        }

        if (message.Retain)
        {
            return Cut(MqttDisconnectReasonCode.RetainNotSupported, "retained messages are not served");
        }

        return message.Payload.Length > MaxPayloadBytes
            ? Cut(MqttDisconnectReasonCode.PacketTooLarge, $"a payload has {message.Payload.Length} bytes; at most {MaxPayloadBytes} are allowed")
            : null;
    }

    private static UpstreamVerdict Cut(MqttDisconnectReasonCode code, string reason) => new(MqttPubAckReasonCode.NotAuthorized, reason, code);

    private async Task<UpstreamVerdict> RefusePayloadAsync(NodeConnection connection, string topic, string reason)
    {
        try
        {
            await audit.WriteAsync($"node/{connection.Node}", $"mqtt publish {topic}", ok: false, reason, CancellationToken.None);
        }
        catch (Exception e)
        {
            LogFailed(e, connection.Node, topic);
        }

        return new UpstreamVerdict(MqttPubAckReasonCode.PayloadFormatInvalid, reason);
    }

    [LoggerMessage(LogLevel.Error, "node {Node}: a message on {Topic} could not be stored and was not acknowledged")]
    private partial void LogFailed(Exception exception, string node, string topic);
}
