using EdgeVirt.Contracts;
using EdgeVirt.Hub.Telemetry;

namespace EdgeVirt.Hub.Broker;

/// <summary>Telemetry batches.</summary>
internal sealed class TelemetryUpstream(TelemetryIngest ingest) : IUpstream
{
    public TopicChannel Channel => TopicChannel.Telemetry;

    public async Task AcceptAsync(NodeConnection connection, ReadOnlyMemory<byte> payload, CancellationToken ct)
    {
        try
        {
            await ingest.AcceptAsync(connection.Node, payload, ct);
        }
        catch (TelemetryRefusedException e)
        {
            throw new PayloadRefusedException(e.Message);
        }
    }
}
