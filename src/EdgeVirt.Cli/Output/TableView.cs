using System.Globalization;
using Spectre.Console;

namespace EdgeVirt.Cli.Output;

/// <summary>What a cell means; shown as a colour where colours are wanted.</summary>
internal enum Tone
{
    Normal,
    Good,
    Warning,
    Bad,
    Faint,
}

/// <summary>One cell: text, and what it means.</summary>
internal readonly record struct Cell(string Text, Tone Tone = Tone.Normal)
{
    public static implicit operator Cell(string? text) => new(string.IsNullOrEmpty(text) ? "-" : text);
}

/// <summary>Columns without borders, as in other tools of the trade: easy on the eye, easy to cut with awk.</summary>
internal sealed class TableView(params string[] headers)
{
    private readonly List<Cell[]> rows = [];
    private int[] widths = new int[headers.Length];

    public bool IsEmpty => rows.Count == 0;

    public void Add(params Cell[] cells) => rows.Add(cells);

    /// <summary>Writes headers and rows, indented by <paramref name="indent"/> columns.</summary>
    public void Write(Terminal terminal, int indent = 0) => Write(terminal, indent, showHeaders: true);

    /// <summary>Writes rows that were added since the last call, in the columns of before: for watching.</summary>
    public void WriteMore(Terminal terminal) => Write(terminal, 0, showHeaders: false);

    private void Write(Terminal terminal, int indent, bool showHeaders)
    {
        var table = new Table().NoBorder();
        table.ShowHeaders = showHeaders;
        MeasureColumns(showHeaders);
        for (var i = 0; i < headers.Length; i++)
        {
            var last = i == headers.Length - 1;
            table.AddColumn(new TableColumn(new Text(headers[i], StyleOf(Tone.Faint)))
            {
                NoWrap = !last,
                Padding = new Padding(0, 0, last ? 0 : 3, 0),
                Width = last ? null : widths[i],
            });
        }

        foreach (var row in rows)
        {
            table.AddRow(row.Select(cell => new Text(Plain.Line(cell.Text), StyleOf(cell.Tone))));
        }

        rows.Clear();
        var text = Render(table, terminal, indent);
        foreach (var line in text.TrimEnd('\n').Split('\n'))
        {
            terminal.Out.Write(new string(' ', indent));
            terminal.Out.WriteLine(terminal.Colours ? line : line.TrimEnd());
        }
    }

    private void MeasureColumns(bool withHeaders)
    {
        for (var i = 0; i < headers.Length; i++)
        {
            var widest = rows.Count == 0 ? 0 : rows.Max(row => new Text(Plain.Line(row[i].Text)).Length);
            widths[i] = Math.Max(widths[i], Math.Max(widest, withHeaders ? headers[i].Length : 0));
        }
    }

    private static string Render(Table table, Terminal terminal, int indent)
    {
        using var buffer = new StringWriter(CultureInfo.InvariantCulture) { NewLine = "\n" };
        var console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Ansi = terminal.Colours ? AnsiSupport.Yes : AnsiSupport.No,
            ColorSystem = terminal.Colours ? ColorSystemSupport.Standard : ColorSystemSupport.NoColors,
            Interactive = InteractionSupport.No,
            Enrichment = new ProfileEnrichment { UseDefaultEnrichers = false },
            Out = new AnsiConsoleOutput(buffer),
        });
        console.Profile.Width = terminal.Width - indent;
        console.Write(table);
        return buffer.ToString();
    }

    private static Style StyleOf(Tone tone) => tone switch
    {
        Tone.Good => new Style(Color.Green),
        Tone.Warning => new Style(Color.Yellow),
        Tone.Bad => new Style(Color.Red),
        Tone.Faint => new Style(decoration: Decoration.Dim),
        _ => Style.Plain,
    };
}
