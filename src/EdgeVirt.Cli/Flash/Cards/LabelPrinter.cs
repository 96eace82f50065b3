using System.Text;
using EdgeVirt.Cli.Output;

namespace EdgeVirt.Cli.Flash.Cards;

/// <summary>Where labels of a run go: <c>--label DIR</c>, or <c>-</c> for the terminal.</summary>
internal sealed class LabelPrinter(string target)
{
    private readonly HashSet<string> names = [];

    /// <summary>Makes the directory, so that no card is written whose label has no place.</summary>
    /// <exception cref="IOException">It cannot be made.</exception>
    public void Prepare()
    {
        if (target != "-")
        {
            Directory.CreateDirectory(target);
        }
    }

    /// <summary>Prints a label; the files that it became, none on the terminal.</summary>
    /// <exception cref="IOException">The directory cannot be written.</exception>
    public IReadOnlyList<string> Print(Card card, CardLabel label, Terminal terminal)
    {
        if (target == "-")
        {
            // A result of a program may stand on standard output.
            terminal.Error.Write(label.ToText(terminal.ErrorIsTerminal && terminal.Variable("NO_COLOR") is null));
            return [];
        }

        var name = label.NodeName ?? label.Claim ?? $"card-{card.Number}";
        name = names.Add(name) ? name : $"{name}-card-{card.Number}";
        var (svg, png) = (Path.Combine(target, name + ".svg"), Path.Combine(target, name + ".png"));
        File.WriteAllText(svg, label.ToSvg(), new UTF8Encoding(false));
        File.WriteAllBytes(png, label.ToPng());
        return [svg, png];
    }
}
