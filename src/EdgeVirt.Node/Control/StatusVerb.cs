using System.Text.Json;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Protos;

namespace EdgeVirt.Node.Control;

/// <summary>How the node is, as one JSON document.</summary>
internal sealed class StatusVerb(NodeStatusSource node)
{
    public ChannelVerb Verb => new(OpenChannel.VerbOneofCase.Status, IsLocalOnly: false, ServeAsync);

    private async Task<string> ServeAsync(OpenChannel open, ServedChannel channel, CancellationToken ct)
    {
        await channel.SendAsync(JsonSerializer.SerializeToUtf8Bytes(await node.ReadAsync(ct), ContractsJson.Default.NodeStatus), ct);
        return "";
    }
}
