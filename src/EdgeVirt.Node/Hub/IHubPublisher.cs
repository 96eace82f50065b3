using EdgeVirt.Contracts;

namespace EdgeVirt.Node.Hub;

/// <summary>What the node says to the hub over MQTT.</summary>
internal interface IHubPublisher
{
    /// <summary>Whether the link is up at this moment.</summary>
    bool IsConnected { get; }

    /// <summary>Completes at once when the link is up, else when it comes up.</summary>
    Task WhenConnectedAsync(CancellationToken ct);

    /// <summary>
    /// Publishes on the node's own topic of <paramref name="channel"/> and completes when the hub has acknowledged
    /// (QoS 1; presence: when sent).
    /// </summary>
    /// <exception cref="HubUnavailableException">Not connected, or not acknowledged in time: publish it again later.</exception>
    /// <exception cref="MessageRefusedException">The hub cannot read it: publishing it again is of no use.</exception>
    Task PublishAsync(TopicChannel channel, ReadOnlyMemory<byte> payload, CancellationToken ct);
}

/// <summary>The hub could not be reached, or did not answer as it should; trying again later is right.</summary>
internal sealed class HubUnavailableException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>The hub has read a message and will never take it.</summary>
internal sealed class MessageRefusedException(string message) : Exception(message);
