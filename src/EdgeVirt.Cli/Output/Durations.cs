using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;

namespace EdgeVirt.Cli.Output;

/// <summary>Durations as people write them: <c>3m20s</c>, <c>1h</c>, <c>2d</c>; a bare number is seconds.</summary>
internal static class Durations
{
    private static readonly (char Unit, double Seconds)[] Units = [('d', 86_400), ('h', 3600), ('m', 60), ('s', 1)];

    /// <summary>The two largest units that matter: <c>3m20s</c>, <c>5d2h</c>, <c>45s</c>.</summary>
    public static string Format(TimeSpan duration)
    {
        var seconds = (long)Math.Max(0, duration.TotalSeconds);
        return seconds switch
        {
            < 60 => $"{seconds}s",
            < 3600 => Two(seconds / 60, 'm', seconds % 60, 's'),
            < 86_400 => Two(seconds / 3600, 'h', seconds % 3600 / 60, 'm'),
            _ => Two(seconds / 86_400, 'd', seconds % 86_400 / 3600, 'h'),
        };
    }

    /// <summary>How long ago a time was, for tables; <c>-</c> where there is none.</summary>
    public static string Age(DateTimeOffset? time, DateTimeOffset now) => time is { } at ? Format(now - at) : "-";

    /// <summary>A time in describe: absolute, UTC.</summary>
    public static string Absolute(DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);

    public static bool TryParse(string text, out TimeSpan duration)
    {
        duration = default;
        if (double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var bare))
        {
            return Within(bare, out duration);
        }

        var total = 0.0;
        var start = 0;
        for (var i = 0; i < text.Length; i++)
        {
            if (char.IsAsciiDigit(text[i]) || text[i] == '.')
            {
                continue;
            }

            var unit = Array.FindIndex(Units, known => known.Unit == text[i]);
            if (unit < 0 || !double.TryParse(text.AsSpan(start, i - start), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var amount))
            {
                return false;
            }

            total += amount * Units[unit].Seconds;
            start = i + 1;
        }

        return text.Length > 0 && start == text.Length && Within(total, out duration);
    }

    /// <summary>An option whose value is a duration.</summary>
    public static Option<TimeSpan?> Option(string name, string description, params string[] aliases) => new(name, aliases)
    {
        Description = description,
        HelpName = "duration",
        CustomParser = Read,
    };

    private static TimeSpan? Read(ArgumentResult result)
    {
        if (TryParse(result.Tokens[0].Value, out var duration))
        {
            return duration;
        }

        result.AddError($"'{result.Tokens[0].Value}' is no duration; write 90s, 5m, 1h30m or 2d.");
        return null;
    }

    private static bool Within(double seconds, out TimeSpan duration)
    {
        duration = seconds is >= 0 and < 1e9 ? TimeSpan.FromSeconds(seconds) : default;
        return seconds is >= 0 and < 1e9;
    }

    private static string Two(long large, char unit, long small, char smallUnit) => small == 0 ? $"{large}{unit}" : $"{large}{unit}{small}{smallUnit}";
}
