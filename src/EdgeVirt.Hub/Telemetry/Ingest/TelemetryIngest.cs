using EdgeVirt.Contracts.Protos;
using Google.Protobuf;

namespace EdgeVirt.Hub.Telemetry;

/// <summary>The payload is no telemetry batch: sending it again cannot help.</summary>
internal sealed class TelemetryRefusedException(string message) : Exception(message);

/// <summary>Telemetry cannot be stored or read at this moment; trying again later is right.</summary>
internal sealed class TelemetryUnavailableException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>Where the broker hands in what nodes publish.</summary>
internal sealed partial class TelemetryIngest(TelemetryStore store, ILogger<TelemetryIngest> logger)
{
    private const int MaxRecords = 10_000;
    private const ulong MaxSequence = 1UL << 62;
    private long refusedBatches;

    /// <summary>Payloads since start that were no batch.</summary>
    public long RefusedBatches => Interlocked.Read(ref refusedBatches);

    /// <summary>
    /// Stores a batch; completes once it is durable, so that the broker may acknowledge it. Records the hub already has
    /// are passed over; a record that cannot be read is counted and passed over too, lest it stop all that follow.
    /// </summary>
    /// <exception cref="TelemetryRefusedException">The payload is no batch.</exception>
    /// <exception cref="TelemetryUnavailableException">Not stored; the node sends it again.</exception>
    public async Task AcceptAsync(string node, ReadOnlyMemory<byte> payload, CancellationToken ct)
    {
        TelemetryBatch batch;
        try
        {
            batch = TelemetryBatch.Parser.ParseFrom(payload.Span);
        }
        catch (InvalidProtocolBufferException e)
        {
            throw Refuse(node, e.Message);
        }

        if (batch.Stream.Length is 0 or > 64 || !batch.Stream.All(char.IsAsciiLetterOrDigit))
        {
            throw Refuse(node, "the stream id must be 1 to 64 letters and digits");
        }

        if (batch.FirstSequence is 0 or > MaxSequence || batch.Records.Count > MaxRecords)
        {
            throw Refuse(node, "sequences begin at 1, and a batch has at most 10,000 records");
        }

        await store.WriteAsync(node, batch, ct);
    }

    private TelemetryRefusedException Refuse(string node, string reason)
    {
        Interlocked.Increment(ref refusedBatches);
        LogRefused(node, reason);
        return new TelemetryRefusedException($"Not a telemetry batch: {reason}.");
    }

    [LoggerMessage(EventId = 1, Level = LogLevel.Warning, Message = "Refused telemetry of node {Node}: {Reason}")]
    private partial void LogRefused(string node, string reason);
}
