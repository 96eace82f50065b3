using System.Text;
using EdgeVirt.Node.Telemetry;
using Microsoft.Extensions.Logging.Abstractions;

namespace EdgeVirt.Node.Tests.Telemetry;

internal static class OutboxLogTesting
{
    public static OutboxLog OpenLog(this IOutboxStorage storage, int segmentBytes = 2048, long maxBytes = 1 << 30) =>
        OutboxLog.Open(storage, new OutboxLimits(maxBytes, segmentBytes), NullLogger.Instance);

    /// <summary>One group of text records.</summary>
    public static bool Append(this OutboxLog log, params string[] records)
    {
        var lengths = records.Select(record => Encoding.UTF8.GetByteCount(record) + OutboxFormat.RecordOverhead).ToArray();
        var group = new byte[lengths.Sum()];
        var at = 0;
        foreach (var (record, length) in records.Zip(lengths))
        {
            Encoding.UTF8.GetBytes(record, group.AsSpan(at + OutboxFormat.RecordOverhead));
            at += length;
        }

        return log.Commit(group, lengths);
    }

    /// <summary>Everything that waits, read in batches and acknowledged; each with its stream and sequence.</summary>
    public static List<(Guid Stream, ulong Sequence, string Text)> Drain(this OutboxLog log, int maxRecords = 7, int maxBytes = 500, bool acknowledge = true)
    {
        List<(Guid, ulong, string)> all = [];
        OutboxPosition? after = null;
        while (log.Peek(after, maxRecords, maxBytes) is { } batch)
        {
            using (batch)
            {
                var sequence = batch.FirstSequence;
                foreach (var record in batch.Records)
                {
                    all.Add((batch.Stream, sequence++, Encoding.UTF8.GetString(record.Span)));
                }

                after = batch.End;
                if (acknowledge)
                {
                    log.Acknowledge(batch);
                }
            }
        }

        return all;
    }

    public static IEnumerable<string> Texts(this IEnumerable<(Guid Stream, ulong Sequence, string Text)> records) => records.Select(record => record.Text);
}
