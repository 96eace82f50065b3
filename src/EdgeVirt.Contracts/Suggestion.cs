namespace EdgeVirt.Contracts;

/// <summary>What somebody who mistyped may have meant.</summary>
public static class Suggestion
{
    /// <summary>The candidate at most two edits away (or that the word begins), null if there is none.</summary>
    /// <param name="word">What was written.</param>
    /// <param name="candidates">What can be written.</param>
    public static string? Near(string word, IEnumerable<string> candidates)
    {
        var known = candidates.ToList();
        var nearest = known.MinBy(candidate => Distance(candidate, word));
        return nearest is not null && Distance(nearest, word) <= Math.Min(2, Math.Max(1, word.Length / 2))
            ? nearest
            : known.FirstOrDefault(candidate => word.Length >= 2 && candidate.StartsWith(word, StringComparison.OrdinalIgnoreCase));
    }

    /// <summary>Levenshtein distance, case ignored.</summary>
    private static int Distance(string a, string b)
    {
        var row = Enumerable.Range(0, b.Length + 1).ToArray();
        for (var i = 1; i <= a.Length; i++)
        {
            var diagonal = row[0];
            row[0] = i;
            for (var j = 1; j <= b.Length; j++)
            {
                var cost = char.ToLowerInvariant(a[i - 1]) == char.ToLowerInvariant(b[j - 1]) ? 0 : 1;
                (row[j], diagonal) = (Math.Min(Math.Min(row[j], row[j - 1]) + 1, diagonal + cost), row[j]);
            }
        }

        return row[^1];
    }
}
