using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Cli.Output;

/// <summary>Writes what <c>describe</c> shows: named values, sections, tables within.</summary>
internal sealed class Description(Terminal terminal)
{
    private const int NameWidth = 16;

    public Terminal Terminal => terminal;

    public void Field(string name, string? value, int indent = 0)
    {
        if (!string.IsNullOrEmpty(value))
        {
            terminal.Out.WriteLine($"{new string(' ', indent)}{(name + ":").PadRight(NameWidth - indent)} {Plain.Line(value)}".TrimEnd());
        }
    }

    public void Time(string name, DateTimeOffset? time, int indent = 0)
    {
        if (time is { } at)
        {
            var away = at <= terminal.Now ? $"{Durations.Format(terminal.Now - at)} ago" : $"in {Durations.Format(at - terminal.Now)}";
            Field(name, $"{Durations.Absolute(at)} ({away})", indent);
        }
    }

    public void Map(string name, IReadOnlyDictionary<string, string>? values) =>
        Field(name, values is null ? null : string.Join(", ", values.OrderBy(one => one.Key, StringComparer.Ordinal).Select(one => $"{one.Key}={one.Value}")));

    public void Section(string title)
    {
        terminal.Out.WriteLine();
        terminal.Out.WriteLine($"{title}:");
    }

    public void Table(TableView table, int indent = 2)
    {
        if (!table.IsEmpty)
        {
            table.Write(terminal, indent);
        }
    }

    public void Conditions(IReadOnlyList<Condition> conditions, int indent = 2)
    {
        var table = new TableView("CONDITION", "STATUS", "REASON", "SINCE", "MESSAGE");
        foreach (var one in conditions)
        {
            table.Add(
                one.Type,
                new Cell(one.Status.ToString(), one.Status == ConditionStatus.True ? Tone.Good : one.Status == ConditionStatus.False ? Tone.Bad : Tone.Warning),
                one.Reason,
                one.LastTransitionTime is { } since ? Durations.Absolute(since) : "-",
                one.Message);
        }

        Table(table, indent);
    }

    /// <summary>Bytes in the unit that gives the shortest number.</summary>
    public static string Bytes(long bytes)
    {
        string[] units = ["B", "KiB", "MiB", "GiB", "TiB"];
        var value = (double)bytes;
        var unit = 0;
        while (value >= 1024 && unit < units.Length - 1)
        {
            value /= 1024;
            unit++;
        }

        return string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{value:0.#} {units[unit]}");
    }
}
