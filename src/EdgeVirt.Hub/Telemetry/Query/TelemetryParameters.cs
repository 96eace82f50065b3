using System.Globalization;

namespace EdgeVirt.Hub.Telemetry;

/// <summary>What <c>GET /api/v1/telemetry</c> was asked; every fault names its parameter.</summary>
internal sealed record TelemetryParameters
{
    private const int DefaultLimit = 1000;
    private const string AttributePrefix = "attr.";
    private static readonly TimeSpan DefaultSpan = TimeSpan.FromHours(1);

    public string? Node { get; private init; }

    public string? Metric { get; private init; }

    public IReadOnlyDictionary<string, string> Attributes { get; private init; } = new Dictionary<string, string>();

    public DateTimeOffset From { get; private init; }

    public DateTimeOffset To { get; private init; }

    public TimeSpan? Step { get; private init; }

    public int Limit { get; private init; } = DefaultLimit;

    /// <summary>Reads the query string; <paramref name="fault"/> says which parameter is wrong, and what would be right.</summary>
    public static TelemetryParameters? TryRead(IEnumerable<KeyValuePair<string, string>> query, DateTimeOffset now, out string? fault)
    {
        var read = new TelemetryParameters { From = DateTimeOffset.MinValue, To = now };
        Dictionary<string, string> attributes = [];
        HashSet<string> seen = [];
        fault = null;
        foreach (var (name, value) in query)
        {
            if (!seen.Add(name))
            {
                fault = $"parameter '{name}' is given twice";
            }
            else if (value.Length is 0 or > 256)
            {
                fault = $"parameter '{name}' must have 1 to 256 characters";
            }
            else if (name.StartsWith(AttributePrefix, StringComparison.Ordinal))
            {
                attributes[name[AttributePrefix.Length..]] = value;
                fault = name[AttributePrefix.Length..].Length > 0 && name[AttributePrefix.Length..].All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-')
                    ? null
                    : $"parameter '{name}' must be attr.<name>, a name of letters, digits, '.', '_' and '-'";
            }
            else
            {
                (read, fault) = read.With(name, value, now);
            }

            if (fault is not null)
            {
                return null;
            }
        }

        if (read.From == DateTimeOffset.MinValue)
        {
            read = read with { From = read.To - DefaultSpan };
        }

        if (read.From >= read.To)
        {
            fault = "parameter 'from' must be before 'to'";
            return null;
        }

        return read with { Attributes = attributes };
    }

    private (TelemetryParameters Next, string? Fault) With(string name, string value, DateTimeOffset now)
    {
        switch (name)
        {
            case "node":
                return (this with { Node = value }, null);
            case "metric":
                return (this with { Metric = value }, null);
            case "from":
                return TryTime(value, now) is { } from ? (this with { From = from }, null) : (this, TimeFault(name, value));
            case "to":
                return TryTime(value, now) is { } to ? (this with { To = to }, null) : (this, TimeFault(name, value));
            case "step":
                return TryDuration(value) is { } step
                    ? (this with { Step = step }, null)
                    : (this, $"parameter 'step' must be a duration such as 30s, 5m, 1h or 1d, not '{value}'");
            case "limit":
                return int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var limit) && limit is >= 1 and <= TelemetryQuery.MostPoints
                    ? (this with { Limit = limit }, null)
                    : (this, $"parameter 'limit' must be a number from 1 to {TelemetryQuery.MostPoints}, not '{value}'");
            default:
                return (this, $"parameter '{name}' is unknown; there are node, metric, attr.<name>, from, to, step and limit");
        }
    }

    private static string TimeFault(string name, string value) =>
        $"parameter '{name}' must be a time such as 2026-01-31T12:00:00Z, or an age such as 15m, not '{value}'";

    private static DateTimeOffset? TryTime(string text, DateTimeOffset now)
    {
        if (TryDuration(text) is { } age && age < TimeSpan.FromDays(3650))
        {
            return now - age;
        }

        return DateTimeOffset.TryParseExact(
            text,
            ["yyyy-MM-dd'T'HH:mm:ssK", "yyyy-MM-dd'T'HH:mm:ss.FFFFFFFK", "yyyy-MM-dd"],
            CultureInfo.InvariantCulture,
            DateTimeStyles.AssumeUniversal,
            out var time)
            ? time
            : null;
    }

    private static TimeSpan? TryDuration(string text)
    {
        if (text.Length is < 2 or > 8 || !int.TryParse(text.AsSpan(0, text.Length - 1), NumberStyles.None, CultureInfo.InvariantCulture, out var number) || number == 0)
        {
            return null;
        }

        return text[^1] switch
        {
            's' => TimeSpan.FromSeconds(number),
            'm' => TimeSpan.FromMinutes(number),
            'h' => TimeSpan.FromHours(number),
            'd' => TimeSpan.FromDays(number),
            _ => null,
        };
    }
}
