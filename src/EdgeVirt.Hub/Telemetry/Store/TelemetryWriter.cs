using System.Buffers;
using System.Text;
using System.Text.Json;
using DuckDB.NET.Data;
using EdgeVirt.Contracts.Protos;
using Google.Protobuf;
using Google.Protobuf.Collections;

namespace EdgeVirt.Hub.Telemetry;

/// <summary>Writes groups of batches and erases samples, each in one transaction. Used by one thread; after an exception it is of no more use.</summary>
internal sealed class TelemetryWriter(DuckDBConnection connection) : IDisposable
{
    private const int MostKnownStreams = 10_000;
    private const int MostSamples = 10_000;
    private const int MostNameLength = 255;
    private const int MostAttributes = 32;
    private readonly Dictionary<(string Node, string Stream), StreamState> known = [];

    public void Commit(List<PendingBatch> group, DateTimeOffset received)
    {
        Dictionary<(string Node, string Stream), StreamState> changed = [];
        using var transaction = connection.BeginTransaction();
        using (var appender = connection.CreateAppender("samples"))
        {
            foreach (var (node, batch, _) in group)
            {
                var key = (node, batch.Stream);
                var before = changed.GetValueOrDefault(key) ?? Find(key);
                changed[key] = Apply(node, batch, before, received, appender);
            }
        }

        foreach (var (key, state) in changed)
        {
            Save(key, state);
        }

        transaction.Commit();
        if (known.Count > MostKnownStreams)
        {
            known.Clear();
        }

        foreach (var (key, state) in changed)
        {
            known[key] = state;
        }
    }

    /// <summary>
    /// Erases samples from before a time, those that came first, at most <paramref name="most"/> of them; returns how many. What
    /// is known of the streams stays, so that a record that is sent again is not stored again.
    /// </summary>
    public long Erase(DateTimeOffset before, long most)
    {
        using var transaction = connection.BeginTransaction();
        if (FirstBefore(before, most) is not var (last, upTo))
        {
            return 0;
        }

        var erased = Execute("DELETE FROM samples WHERE time < $before AND rowid <= $last", ("before", before.UtcDateTime), ("last", last));
        if (Execute("UPDATE retention SET erased_up_to = greatest(erased_up_to, $up_to)", ("up_to", upTo)) == 0)
        {
            Execute("INSERT INTO retention VALUES ($up_to)", ("up_to", upTo));
        }

        transaction.Commit();
        return erased;
    }

    /// <summary>Makes the space of what was erased free for what comes. The file gets shorter only where its end is free.</summary>
    public void Compact() => Execute("CHECKPOINT");

    public void Dispose() => connection.Dispose();

    /// <summary>Attributes as one JSON object, keys in order, so that the same attributes are the same text.</summary>
    internal static string AttributesText(MapField<string, string> attributes)
    {
        if (attributes.Count == 0)
        {
            return "{}";
        }

        var buffer = new ArrayBufferWriter<byte>(128);
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            foreach (var (name, value) in attributes.OrderBy(pair => pair.Key, StringComparer.Ordinal))
            {
                json.WriteString(name, value);
            }

            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }

    private static StreamState Apply(string node, TelemetryBatch batch, StreamState before, DateTimeOffset received, DuckDBAppender appender)
    {
        var (next, fresh) = before.Accept(batch.FirstSequence, batch.Records.Count);
        List<TelemetryRecord> records = [];
        List<ulong> sequences = [];
        var refused = 0UL;
        foreach (var range in fresh)
        {
            for (var sequence = range.First; sequence <= range.Last; sequence++)
            {
                if (TryParse(batch.Records[(int)(sequence - batch.FirstSequence)]) is { } record)
                {
                    records.Add(record);
                    sequences.Add(sequence);
                }
                else
                {
                    refused++;
                }
            }
        }

        var (times, bootId, bootTime) = RecordDating.Date(records, next.BootId, next.BootTimeUnixMs, received);
        for (var i = 0; i < records.Count; i++)
        {
            Append(node, batch.Stream, records[i], sequences[i], DateTimeOffset.FromUnixTimeMilliseconds(times[i]).UtcDateTime, appender);
        }

        return next with
        {
            Dropped = Math.Max(next.Dropped, Math.Min(batch.DroppedRecords, long.MaxValue / 4)),
            Lost = Math.Max(next.Lost, Math.Min(batch.LostRecords, long.MaxValue / 4)),
            Refused = next.Refused + refused,
            BootId = bootId,
            BootTimeUnixMs = bootTime,
        };
    }

    private static void Append(string node, string stream, TelemetryRecord record, ulong sequence, DateTime time, DuckDBAppender appender)
    {
        foreach (var sample in record.Samples)
        {
            // JSON has no word for the others, and they say nothing.
            if (double.IsFinite(sample.Value))
            {
                appender.CreateRow()
                    .AppendValue(time)
                    .AppendValue(node)
                    .AppendValue(sample.Metric)
                    .AppendValue(sample.Value)
                    .AppendValue(AttributesText(sample.Attributes))
                    .AppendValue(record.BootId)
                    .AppendValue(stream)
                    .AppendValue((long)sequence)
                    .EndRow();
            }
        }
    }

    private static TelemetryRecord? TryParse(ByteString bytes)
    {
        try
        {
            var record = TelemetryRecord.Parser.ParseFrom(bytes);
            return record.Samples.Count <= MostSamples && record.BootId.Length <= MostNameLength && record.Samples.All(IsSound) ? record : null;
        }
        catch (InvalidProtocolBufferException)
        {
            return null;
        }
    }

    private static bool IsSound(Sample sample) =>
        IsText(sample.Metric) && sample.Metric.Length > 0 && sample.Attributes.Count <= MostAttributes
        && sample.Attributes.All(pair => IsText(pair.Key) && IsText(pair.Value));

    // A NUL would end the text for the database, but not for us.
    private static bool IsText(string text) => text.Length <= MostNameLength && !text.Contains('\0', StringComparison.Ordinal);

    /// <summary>The place of the last of these rows, and the newest time in them. Rows lie in the order in which they came.</summary>
    private (long Last, DateTime UpTo)? FirstBefore(DateTimeOffset before, long most)
    {
        using var command = connection.CreateCommand();
        command.CommandText = "SELECT max(rowid), max(time) FROM (SELECT rowid, time FROM samples WHERE time < $before LIMIT $most)";
        command.Parameters.Add(new DuckDBParameter("before", before.UtcDateTime));
        command.Parameters.Add(new DuckDBParameter("most", most));
        using var reader = command.ExecuteReader();
        return reader.Read() && !reader.IsDBNull(0) ? (reader.GetInt64(0), reader.GetDateTime(1)) : null;
    }

    private long Execute(string sql, params (string Name, object Value)[] parameters)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        foreach (var (name, value) in parameters)
        {
            command.Parameters.Add(new DuckDBParameter(name, value));
        }

        return command.ExecuteNonQuery();
    }

    private StreamState Find((string Node, string Stream) key)
    {
        if (known.TryGetValue(key, out var state))
        {
            return state;
        }

        using var command = connection.CreateCommand();
        command.CommandText = """
            SELECT high, holes, given_up, dropped, lost, refused, boot_id, boot_time FROM streams WHERE node = $node AND stream = $stream
            """;
        command.Parameters.Add(new DuckDBParameter("node", key.Node));
        command.Parameters.Add(new DuckDBParameter("stream", key.Stream));
        using var reader = command.ExecuteReader();
        return !reader.Read()
            ? new StreamState()
            : new StreamState
            {
                High = (ulong)reader.GetInt64(0),
                Holes = StreamState.ReadHoles(reader.GetString(1)),
                GivenUp = (ulong)reader.GetInt64(2),
                Dropped = (ulong)reader.GetInt64(3),
                Lost = (ulong)reader.GetInt64(4),
                Refused = (ulong)reader.GetInt64(5),
                BootId = reader.GetString(6),
                BootTimeUnixMs = reader.GetInt64(7),
            };
    }

    private void Save((string Node, string Stream) key, StreamState state) => Execute(
        """
        INSERT INTO streams VALUES ($node, $stream, $high, $holes, $given_up, $dropped, $lost, $refused, $missing, $boot_id, $boot_time)
        ON CONFLICT (node, stream) DO UPDATE SET high = excluded.high, holes = excluded.holes, given_up = excluded.given_up,
          dropped = excluded.dropped, lost = excluded.lost, refused = excluded.refused, missing = excluded.missing,
          boot_id = excluded.boot_id, boot_time = excluded.boot_time
        """,
        ("node", key.Node),
        ("stream", key.Stream),
        ("high", (long)state.High),
        ("holes", state.WriteHoles()),
        ("given_up", (long)state.GivenUp),
        ("dropped", (long)state.Dropped),
        ("lost", (long)state.Lost),
        ("refused", (long)state.Refused),
        ("missing", (long)state.Missing),
        ("boot_id", state.BootId),
        ("boot_time", state.BootTimeUnixMs));
}
