using EdgeVirt.Contracts;
using EdgeVirt.Hub.Enrollment;

namespace EdgeVirt.Hub.Broker;

/// <summary>One MQTT connection of a node, from CONNECT to its end.</summary>
internal sealed class NodeConnection(NodeIdentity identity)
{
    /// <summary>Key of the connection among a session's items.</summary>
    public static readonly object ItemKey = new();

    /// <summary>Whose it is.</summary>
    public NodeIdentity Identity { get; } = identity;

    /// <summary>The node's name.</summary>
    public string Node => Identity.Node;

    /// <summary>Ends the watch for revocation when the connection ends.</summary>
    public CancellationTokenRegistration Cut { get; set; }
}

/// <summary>What the hub does with one kind of message from nodes.</summary>
internal interface IUpstream
{
    /// <summary>Which kind.</summary>
    TopicChannel Channel { get; }

    /// <summary>Ends when the message is safe: only then is it acknowledged. It may come more than once.</summary>
    /// <exception cref="PayloadRefusedException">It can never be accepted; sending it again is of no use.</exception>
    Task AcceptAsync(NodeConnection connection, ReadOnlyMemory<byte> payload, CancellationToken ct);
}

/// <summary>A message that cannot be read or breaks the rules. Its sender is told, and it is on the audit log.</summary>
internal sealed class PayloadRefusedException(string message) : Exception(message);
