using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Protos;
using Google.Protobuf;
using MQTTnet;
using MQTTnet.Protocol;
using MQTTnet.Server;

namespace EdgeVirt.Hub.Broker;

/// <summary>
/// Asks a node to look again. Delivered straight to the node's session, past subscription matching, and at QoS 0:
/// sessions end with their connection, so an acknowledgement would add nothing but a list that a silent node lets grow.
/// </summary>
internal sealed class NodePokes
{
    private const int MaxPending = 32;

    /// <summary>Set by the broker while it runs.</summary>
    internal MqttServer? Server { get; set; }

    /// <summary>Sends a poke; false if the node is not connected or does not read what it is sent.</summary>
    public async Task<bool> PokeAsync(string node, PokeReason reason)
    {
        if (Server is not { } server)
        {
            return false;
        }

        try
        {
            var session = await server.GetSessionAsync(node);
            var message = new MqttApplicationMessageBuilder()
                .WithTopic(new Topic(node, TopicChannel.Poke).ToString())
                .WithPayload(new Poke { Reason = reason }.ToByteArray())
                .WithQualityOfServiceLevel(MqttQualityOfServiceLevel.AtMostOnce)
                .Build();
            return session.PendingApplicationMessagesCount < MaxPending && session.TryEnqueueApplicationMessage(message, out _);
        }
        catch (InvalidOperationException)
        {
            // There is no session of that name, or the server has stopped.
            return false;
        }
    }
}
