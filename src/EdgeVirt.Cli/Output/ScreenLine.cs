using System.Globalization;
using System.Text;

namespace EdgeVirt.Cli.Output;

/// <summary>One line of a full screen: pieces of text, and what they mean.</summary>
internal sealed class ScreenLine
{
    private readonly List<Cell> pieces = [];

    /// <summary>Appends text.</summary>
    public ScreenLine Add(string text, Tone tone = Tone.Normal)
    {
        pieces.Add(new Cell(text, tone));
        return this;
    }

    /// <summary>The line, cut to a width; what comes from outside cannot steer the terminal.</summary>
    public string Render(int columns, bool colours)
    {
        var left = columns;
        var line = new StringBuilder();
        foreach (var piece in pieces)
        {
            var text = Clean(piece.Text);
            var part = text.Length <= left ? text : left > 3 ? text[..(left - 3)] + "..." : text[..left];
            left -= part.Length;
            line.Append(colours && piece.Tone != Tone.Normal ? $"\e[{CodeOf(piece.Tone)}m{part}\e[0m" : part);
        }

        return line.ToString();
    }

    // A serial line may not know UTF-8, and marks of direction can make a name read as another one.
    private static string Clean(string text) => string.Create(text.Length, text, (span, source) =>
    {
        for (var i = 0; i < span.Length; i++)
        {
            span[i] = char.IsControl(source[i]) || source[i] is '\u2028' or '\u2029' ? ' '
                : char.GetUnicodeCategory(source[i]) is UnicodeCategory.Format or UnicodeCategory.Surrogate or UnicodeCategory.PrivateUse ? '?'
                : source[i];
        }
    });

    private static int CodeOf(Tone tone) => tone switch
    {
        Tone.Good => 32,
        Tone.Warning => 33,
        Tone.Bad => 31,
        _ => 1,
    };
}
