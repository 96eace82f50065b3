using EdgeVirt.Contracts.Protos;
using EdgeVirt.Node.Control;
using Google.Protobuf;

namespace EdgeVirt.Node.Telemetry;

/// <summary>What the node and its containers use at this moment, without a hub: two readings, a second apart.</summary>
internal sealed class UsageVerb(NodeOptions options, IEnumerable<IUsageSource> usage, TimeProvider time)
{
    private const int PieceBytes = 16 << 10;
    private static readonly TimeSpan Apart = TimeSpan.FromSeconds(1);

    public ChannelVerb Verb => new(OpenChannel.VerbOneofCase.Usage, IsLocalOnly: false, ServeAsync);

    private async Task<string> ServeAsync(OpenChannel open, ServedChannel channel, CancellationToken ct)
    {
        var reading = new NodeReading(options, usage, [], time);
        await SendAsync(reading.Collect(), channel, ct);
        await Task.Delay(Apart, time, ct);
        await SendAsync(reading.Collect(), channel, ct);
        return "";
    }

    private static async Task SendAsync(TelemetryRecord record, ServedChannel channel, CancellationToken ct)
    {
        using var buffer = new MemoryStream();
        record.WriteDelimitedTo(buffer);
        ReadOnlyMemory<byte> bytes = buffer.GetBuffer().AsMemory(0, (int)buffer.Length);
        for (; !bytes.IsEmpty; bytes = bytes[Math.Min(PieceBytes, bytes.Length)..])
        {
            await channel.SendAsync(bytes[..Math.Min(PieceBytes, bytes.Length)], ct);
        }
    }
}
