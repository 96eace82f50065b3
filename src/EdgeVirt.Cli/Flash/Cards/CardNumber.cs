using System.Globalization;
using System.Text.RegularExpressions;

namespace EdgeVirt.Cli.Flash.Cards;

/// <summary><c>{n}</c> in a text: the number of a card, with as many digits at least as there are n.</summary>
internal static partial class CardNumber
{
    public static bool IsIn(string? text) => text is not null && Place().IsMatch(text);

    public static string? Put(string? text, int card) =>
        text is null ? null : Place().Replace(text, place => card.ToString($"D{place.Length - 2}", CultureInfo.InvariantCulture));

    [GeneratedRegex(@"\{n{1,6}\}")]
    private static partial Regex Place();
}
