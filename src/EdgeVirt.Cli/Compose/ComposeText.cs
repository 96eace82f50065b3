using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace EdgeVirt.Cli.Compose;

/// <summary>The small notations inside values of a Compose file.</summary>
internal static partial class ComposeText
{
    /// <summary>Words as a shell splits them: quotes and backslashes, nothing else.</summary>
    public static IReadOnlyList<string> Words(string text)
    {
        var (words, word, quote) = (new List<string>(), (StringBuilder?)null, '\0');
        for (var i = 0; i < text.Length; i++)
        {
            var c = text[i];
            if (c == '\\' && quote != '\'' && i + 1 < text.Length && (quote == '\0' || text[i + 1] is '"' or '\\'))
            {
                (word ??= new StringBuilder()).Append(text[++i]);
            }
            else if (quote != '\0' ? c == quote : c is '\'' or '"')
            {
                quote = quote == '\0' ? c : '\0';
                word ??= new StringBuilder();
            }
            else if (quote == '\0' && char.IsWhiteSpace(c))
            {
                if (word is not null)
                {
                    words.Add(word.ToString());
                }

                word = null;
            }
            else
            {
                (word ??= new StringBuilder()).Append(c);
            }
        }

        return word is null ? words : [.. words, word.ToString()];
    }

    /// <summary><c>KEY=value</c> lines of .env and env_file.</summary>
    public static IEnumerable<KeyValuePair<string, string>> Variables(string text)
    {
        foreach (var line in text.Split('\n').Select(line => line.Trim()).Where(line => line.Length > 0 && line[0] != '#'))
        {
            var parts = (line.StartsWith("export ", StringComparison.Ordinal) ? line[7..] : line).Split('=', 2);
            var value = parts.Length == 2 ? parts[1].Trim() : "";
            var end = value.Length > 1 && value[0] is '"' or '\'' ? value.IndexOf(value[0], 1) : -1;
            // A comment begins after white space, and never within quotes.
            value = end > 0 ? value[1..end] : value.IndexOf(" #", StringComparison.Ordinal) is >= 0 and var comment ? value[..comment].TrimEnd() : value;
            yield return new KeyValuePair<string, string>(parts[0].Trim(), value);
        }
    }

    /// <summary>Whole seconds of <c>1m30s</c>, rounded up and at least 1; null if it is no duration.</summary>
    public static int? Seconds(string text)
    {
        if (!Duration().IsMatch(text))
        {
            return null;
        }

        var seconds = Part().Matches(text).Sum(part => decimal.Parse(part.Groups[1].Value, CultureInfo.InvariantCulture) * part.Groups[2].Value switch
        {
            "h" => 3600m,
            "m" => 60m,
            "ms" => 0.001m,
            "us" => 0.000001m,
            _ => 1m,
        });
        return (int)Math.Clamp(Math.Ceiling(seconds), 1, int.MaxValue);
    }

    /// <summary>A quantity of bytes: Compose's <c>512m</c> is Kubernetes' <c>512Mi</c>; null if it is none.</summary>
    public static string? Bytes(string text) => Size().Match(text.ToLowerInvariant()) is { Success: true } match
        ? match.Groups[1].Value + match.Groups[2].Value switch { "k" => "Ki", "m" => "Mi", "g" => "Gi", "t" => "Ti", _ => "" }
        : null;

    /// <summary>A DNS label made of a name.</summary>
    public static string Label(string name) => NotLabel().Replace(name.ToLowerInvariant(), "-").Trim('-');

    /// <summary>An image with its registry: where Compose's name has none, <c>docker.io</c>, and <c>library</c> where it is one word.</summary>
    public static string Image(string name)
    {
        var cut = name.IndexOf('/', StringComparison.Ordinal);
        return cut < 0 ? $"docker.io/library/{name}"
            : name.AsSpan(0, cut).ContainsAny('.', ':') || name.StartsWith("localhost/", StringComparison.Ordinal) ? name
            : $"docker.io/{name}";
    }

    [GeneratedRegex(@"^(?:\d+(?:\.\d+)?(?:ms|us|h|m|s))+$")]
    private static partial Regex Duration();

    [GeneratedRegex(@"(\d+(?:\.\d+)?)(ms|us|h|m|s)")]
    private static partial Regex Part();

    [GeneratedRegex(@"^(\d+(?:\.\d+)?)([kmgt]?)(?:i?b)?$")]
    private static partial Regex Size();

    [GeneratedRegex("[^a-z0-9-]+")]
    private static partial Regex NotLabel();
}
