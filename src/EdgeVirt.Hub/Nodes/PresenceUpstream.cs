using EdgeVirt.Contracts;
using EdgeVirt.Hub.Broker;

namespace EdgeVirt.Hub.Nodes;

/// <summary>Hellos, heartbeats and last wills.</summary>
internal sealed class PresenceUpstream(NodePresence presence) : IUpstream
{
    public TopicChannel Channel => TopicChannel.Presence;

    public Task AcceptAsync(NodeConnection connection, ReadOnlyMemory<byte> payload, CancellationToken ct)
    {
        presence.Heard(connection, Contracts.Protos.Presence.Parser.ParseFrom(payload.Span));
        return Task.CompletedTask;
    }
}
