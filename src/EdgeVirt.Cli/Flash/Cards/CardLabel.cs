using System.Globalization;
using System.Security;
using System.Text;
using EdgeVirt.Cli.HubClient;
using QRCoder;

namespace EdgeVirt.Cli.Flash.Cards;

/// <summary>What is written on the label of a card, for people and as a QR code. Nothing of it is secret.</summary>
internal sealed record CardLabel
{
    private const int QuietZone = 4;
    private const int PngModulePixels = 8;
    private const int LineHeight = 5;

    /// <summary>Kind of board.</summary>
    public required string Board { get; init; }

    /// <summary>Version of the image.</summary>
    public required string ImageVersion { get; init; }

    /// <summary>Name that the node will ask for.</summary>
    public string? NodeName { get; init; }

    /// <summary>Claim that it uses, not its token.</summary>
    public string? Claim { get; init; }

    /// <summary>host:port of the hub.</summary>
    public string? Hub { get; init; }

    /// <summary>When the card was written.</summary>
    public required DateTimeOffset WrittenAt { get; init; }

    /// <summary>The label of a card.</summary>
    public static CardLabel Of(Card card, string board, string imageVersion, DateTimeOffset now) => new()
    {
        Board = board,
        ImageVersion = imageVersion,
        NodeName = card.Settings.NodeName,
        Claim = card.Claim,
        Hub = card.Settings.Hub,
        WrittenAt = card.Settings.FlashedAt ?? now,
    };

    /// <summary>What the QR code says: <c>edgevirt:card?board=…&amp;node=…&amp;claim=…&amp;hub=…&amp;image=…&amp;date=…</c>, in this order, absent ones left out.</summary>
    public string Uri => HubPaths.Query(
        "edgevirt:card",
        ("board", Board),
        ("node", NodeName),
        ("claim", Claim),
        ("hub", Hub),
        ("image", ImageVersion),
        ("date", WrittenAt.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture)));

    /// <summary>The lines beside the code, the one that matters most first.</summary>
    public IReadOnlyList<string> Lines =>
    [
        NodeName ?? Claim ?? Board,
        $"board  {Board}",
        .. Claim is null ? Array.Empty<string>() : [$"claim  {Claim}"],
        .. Hub is null ? Array.Empty<string>() : [$"hub    {Hub}"],
        $"image  {ImageVersion}",
        $"date   {WrittenAt.UtcDateTime.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture)}",
    ];

    /// <summary>The code alone; text beside it would need fonts.</summary>
    public byte[] ToPng()
    {
        using var code = Encode();
        using var png = new PngByteQRCode(code);
        return png.GetGraphic(PngModulePixels);
    }

    /// <summary>The code with the text beside it, in millimetres: a module is one.</summary>
    public string ToSvg()
    {
        var modules = Modules();
        var (size, lines) = (modules.Length, Lines);
        var width = size + QuietZone + (int)(lines.Max(line => line.Length) * 2.4) + QuietZone;
        var svg = new StringBuilder();
        svg.Append(CultureInfo.InvariantCulture, $"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}mm\" height=\"{size}mm\" viewBox=\"0 0 {width} {size}\">\n");
        svg.Append(CultureInfo.InvariantCulture, $"<title>{SecurityElement.Escape(Uri)}</title>\n<rect width=\"{width}\" height=\"{size}\" fill=\"#fff\"/>\n<path fill=\"#000\" shape-rendering=\"crispEdges\" d=\"");
        for (var y = 0; y < size; y++)
        {
            for (var x = 0; x < size; x++)
            {
                if (modules[y][x])
                {
                    svg.Append(CultureInfo.InvariantCulture, $"M{x} {y}h1v1h-1z");
                }
            }
        }

        svg.Append("\"/>\n");
        for (var i = 0; i < lines.Count; i++)
        {
            var style = i == 0 ? "font-weight=\"bold\" " : "";
            svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{size}\" y=\"{QuietZone + ((i + 1) * LineHeight)}\" {style}font-family=\"monospace\" font-size=\"4\" xml:space=\"preserve\">{SecurityElement.Escape(lines[i])}</text>\n");
        }

        return svg.Append("</svg>\n").ToString();
    }

    /// <summary>
    /// The code in half blocks, two modules a character, and the lines below it. Light modules are drawn, dark ones are the terminal's background; with
    /// <paramref name="colours"/> both are set, so that it is right on a light terminal too.
    /// </summary>
    public string ToText(bool colours)
    {
        var modules = Modules();
        var text = new StringBuilder();
        for (var y = 0; y < modules.Length; y += 2)
        {
            text.Append(colours ? "\e[97;40m" : "");
            for (var x = 0; x < modules.Length; x++)
            {
                var (upper, lower) = (modules[y][x], y + 1 >= modules.Length || modules[y + 1][x]);
                text.Append(upper ? lower ? ' ' : '▄' : lower ? '▀' : '█');
            }

            text.Append(colours ? "\e[0m\n" : "\n");
        }

        foreach (var line in Lines)
        {
            text.Append("    ").Append(line).Append('\n');
        }

        return text.ToString();
    }

    private bool[][] Modules()
    {
        using var code = Encode();
        return [.. code.ModuleMatrix.Select(row => row.Cast<bool>().ToArray())];
    }

    private QRCodeData Encode() => QRCodeGenerator.GenerateQrCode(Uri, QRCodeGenerator.ECCLevel.M);
}
