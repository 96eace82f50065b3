using System.Text;
using System.Text.Json;
using DuckDB.NET.Data;
using EdgeVirt.Contracts.Api;

namespace EdgeVirt.Hub.Telemetry;

/// <summary>Reads telemetry. Everything that comes from outside is a bound parameter.</summary>
internal sealed class TelemetryQuery(TelemetryStore store)
{
    /// <summary>Most points of one answer.</summary>
    public const int MostPoints = 100_000;

    /// <summary>
    /// Points of the <paramref name="range"/> (its end excluded), oldest first, at most <paramref name="limit"/>. With a
    /// <paramref name="step"/> each point is the mean of a bucket of that length, per node, metric and attributes. Null filters nothing.
    /// </summary>
    /// <exception cref="TelemetryUnavailableException">The database cannot be read.</exception>
    public Task<TelemetryQueryResult> RunAsync(
        string? node,
        string? metric,
        IReadOnlyDictionary<string, string> attributes,
        (DateTimeOffset From, DateTimeOffset To) range,
        TimeSpan? step,
        int limit,
        CancellationToken ct) => store.ReadAsync(
            connection =>
            {
                using var command = connection.CreateCommand();
                command.CommandText = Build(command, node, metric, attributes, range, step, limit);
                List<TelemetryPoint> points = [];
                Dictionary<string, IReadOnlyDictionary<string, string>?> texts = [];
                using (ct.Register(command.Cancel))
                using (var reader = command.ExecuteReader())
                {
                    while (points.Count <= limit && reader.Read())
                    {
                        var time = new DateTimeOffset(DateTime.SpecifyKind(reader.GetDateTime(0), DateTimeKind.Utc));
                        points.Add(new TelemetryPoint(
                            time, reader.GetString(1), reader.GetString(2), reader.GetDouble(3), Attributes(texts, reader.GetString(4))));
                    }
                }

                var truncated = points.Count > limit;
                if (truncated)
                {
                    points.RemoveAt(points.Count - 1);
                }

                return new TelemetryQueryResult
                {
                    Points = points,
                    Truncated = truncated,
                    MissingRecords = Missing(connection, node),
                    ErasedUpTo = ErasedUpTo(connection) is { } erased && erased >= range.From ? erased : null,
                };
            },
            ct);

    private static string Build(
        DuckDBCommand command,
        string? node,
        string? metric,
        IReadOnlyDictionary<string, string> attributes,
        (DateTimeOffset From, DateTimeOffset To) range,
        TimeSpan? step,
        int limit)
    {
        var where = new StringBuilder("time >= $from AND time < $to");
        Bind("from", range.From.UtcDateTime);
        Bind("to", range.To.UtcDateTime);
        if (node is not null)
        {
            where.Append(" AND node = $node");
            Bind("node", node);
        }

        if (metric is not null)
        {
            where.Append(" AND metric = $metric");
            Bind("metric", metric);
        }

        var index = 0;
        foreach (var (name, value) in attributes)
        {
            // Attributes are stored as one canonical JSON text in which a quote never stands for itself.
            where.Append(System.Globalization.CultureInfo.InvariantCulture, $" AND contains(attributes, $attribute{index})");
            Bind($"attribute{index++}", $"\"{JsonEncodedText.Encode(name)}\":\"{JsonEncodedText.Encode(value)}\"");
        }

        Bind("limit", (long)limit + 1);
        if (step is not { } bucket)
        {
            return $"SELECT time, node, metric, value, attributes FROM samples WHERE {where} ORDER BY time, node, metric, attributes LIMIT $limit";
        }

        Bind("step", bucket.Ticks / TimeSpan.TicksPerMicrosecond);
        return $"""
            SELECT make_timestamp((epoch_us(time) // $step) * $step) AS bucket, node, metric, avg(value), attributes FROM samples
            WHERE {where} GROUP BY bucket, node, metric, attributes ORDER BY bucket, node, metric, attributes LIMIT $limit
            """;

        void Bind(string name, object value) => command.Parameters.Add(new DuckDBParameter(name, value));
    }

    private static Dictionary<string, long> Missing(DuckDBConnection connection, string? node)
    {
        using var command = connection.CreateCommand();
        command.CommandText = """
            SELECT node, CAST(sum(missing) AS BIGINT) FROM streams WHERE missing > 0 AND ($node IS NULL OR node = $node) GROUP BY node ORDER BY node
            """;
        command.Parameters.Add(new DuckDBParameter("node", node));
        Dictionary<string, long> missing = [];
        using var reader = command.ExecuteReader();
        while (reader.Read())
        {
            missing[reader.GetString(0)] = reader.GetInt64(1);
        }

        return missing;
    }

    private static DateTimeOffset? ErasedUpTo(DuckDBConnection connection)
    {
        using var command = connection.CreateCommand();
        command.CommandText = "SELECT erased_up_to FROM retention";
        using var reader = command.ExecuteReader();
        return reader.Read() ? new DateTimeOffset(DateTime.SpecifyKind(reader.GetDateTime(0), DateTimeKind.Utc)) : null;
    }

    private static IReadOnlyDictionary<string, string>? Attributes(Dictionary<string, IReadOnlyDictionary<string, string>?> texts, string text)
    {
        if (!texts.TryGetValue(text, out var attributes))
        {
            attributes = text == "{}" ? null : JsonSerializer.Deserialize(text, HubJson.Default.DictionaryStringString);
            texts[text] = attributes;
        }

        return attributes;
    }
}
