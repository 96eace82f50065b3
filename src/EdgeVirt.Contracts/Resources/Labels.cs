using System.Text.RegularExpressions;

namespace EdgeVirt.Contracts.Resources;

/// <summary>Labels: keys of up to 63 characters with an optional <c>prefix/</c>, values of up to 63.</summary>
public static partial class Labels
{
    /// <summary>Whether labels carry all that a selector asks for. An absent selector asks for nothing.</summary>
    public static bool Match(IReadOnlyDictionary<string, string>? selector, IReadOnlyDictionary<string, string>? labels) =>
        selector is null || selector.All(wanted => labels is not null && labels.TryGetValue(wanted.Key, out var has) && has == wanted.Value);

    internal static void Validate(IReadOnlyDictionary<string, string>? labels, string path, Validation v)
    {
        foreach (var (key, value) in labels ?? new Dictionary<string, string>())
        {
            if (!Key().IsMatch(key))
            {
                v.Add($"{path}.{key}", "is no label key: up to 63 letters, digits, '-', '_' and '.', with an optional DNS name and '/' before them");
            }

            if (!Value().IsMatch(value))
            {
                v.Add($"{path}.{key}", "has a value that is no label value: up to 63 letters, digits, '-', '_' and '.'");
            }
        }
    }

    [GeneratedRegex(@"^([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$")]
    private static partial Regex Key();

    [GeneratedRegex(@"^([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?$")]
    private static partial Regex Value();
}
