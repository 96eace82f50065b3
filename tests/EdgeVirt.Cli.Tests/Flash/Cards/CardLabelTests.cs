using System.Text;
using System.Xml.Linq;
using EdgeVirt.Cli.Flash.Cards;
using EdgeVirt.Cli.Output;
using EdgeVirt.Contracts.Boards;
using EdgeVirt.Testing;

namespace EdgeVirt.Cli.Tests.Flash.Cards;

/// <summary>Labels of cards, read by a program that has nothing to do with the one that writes them.</summary>
public sealed class CardLabelTests
{
    private static readonly Card Written = new(
        7,
        new BoardSettings { Hub = "hub.example.com:8444", NodeName = "oslo-17", ClaimToken = CardRun.Token("line-1"), FlashedAt = CliRun.Now },
        "line-1");

    private const string Uri = "edgevirt:card?board=rpi4&node=oslo-17&claim=line-1&hub=hub.example.com%3A8444&image=13.1%2B20261127.0&date=2026-11-22T18%3A00%3A00Z";

    private TempDirectory directory = null!;

    private static CardLabel Label => CardLabel.Of(Written, "rpi4", "13.1+20261127.0", CliRun.Now);

    [SetUp]
    public void Start() => directory = new TempDirectory();

    [TearDown]
    public void Stop() => directory.Dispose();

    [Test]
    public void Its_png_is_read_by_a_scanner()
    {
        var file = directory.Combine("label.png");
        File.WriteAllBytes(file, Label.ToPng());
        Assert.That(Scan(file), Is.EqualTo(Uri));
    }

    [Test]
    public void Its_svg_has_the_same_code_and_the_text_beside_it()
    {
        var svg = XDocument.Parse(Label.ToSvg());
        XNamespace ns = "http://www.w3.org/2000/svg";
        Assert.That(svg.Descendants(ns + "text").Select(text => text.Value), Is.EqualTo(new[]
        {
            "oslo-17", "board  rpi4", "claim  line-1", "hub    hub.example.com:8444", "image  13.1+20261127.0", "date   2026-11-22",
        }));
        var size = int.Parse(svg.Root!.Attribute("height")!.Value[..^2]);
        var modules = new bool[size, size];
        foreach (var module in svg.Descendants(ns + "path").Single().Attribute("d")!.Value.Split('M', StringSplitOptions.RemoveEmptyEntries))
        {
            var place = module[..module.IndexOf('h')].Split(' ');
            modules[int.Parse(place[1]), int.Parse(place[0])] = true;
        }

        Assert.That(Scan(Draw(modules)), Is.EqualTo(Uri));
        Assert.That(svg.Descendants(ns + "text").Min(text => int.Parse(text.Attribute("x")!.Value)), Is.GreaterThanOrEqualTo(size), "text covers the code");
    }

    [Test]
    public void Its_text_on_a_terminal_is_read_too()
    {
        var lines = Label.ToText(colours: false).Split('\n');
        var code = lines.TakeWhile(line => !line.StartsWith("    oslo", StringComparison.Ordinal)).ToArray();
        var modules = new bool[code.Length * 2, code[0].Length];
        for (var y = 0; y < code.Length; y++)
        {
            for (var x = 0; x < code[y].Length; x++)
            {
                modules[2 * y, x] = code[y][x] is ' ' or '▄';
                modules[(2 * y) + 1, x] = code[y][x] is ' ' or '▀';
            }
        }

        Assert.That(Scan(Draw(modules)), Is.EqualTo(Uri));
        Assert.That(Label.ToText(colours: true), Does.StartWith("\e[97;40m").And.Contain("\e[0m\n"));
    }

    [Test]
    public void Nothing_secret_is_on_it()
    {
        var secret = Written.Settings.ClaimToken!.Split('.')[2];
        Assert.That(Label.ToSvg() + Label.ToText(false) + Label.Uri, Does.Not.Contain(secret).And.Not.Contain("evc1"));
    }

    [Test]
    public void Text_of_others_stays_text()
    {
        var label = Label with { Board = "a<b&\"c" };
        Assert.That(XDocument.Parse(label.ToSvg()).ToString(), Does.Contain("a&lt;b&amp;"));
    }

    [Test]
    public void Each_card_has_files_of_its_own()
    {
        var printer = new LabelPrinter(directory.Combine("labels", "today"));
        printer.Prepare();
        var terminal = new Terminal { In = TextReader.Null, Out = TextWriter.Null, Error = new StringWriter(), Variable = _ => null, Time = TimeProvider.System };
        var files = printer.Print(Written, Label, terminal).Concat(printer.Print(Written with { Number = 8 }, Label, terminal)).ToList();
        Assert.That(files.Select(Path.GetFileName), Is.EqualTo(new[] { "oslo-17.svg", "oslo-17.png", "oslo-17-card-8.svg", "oslo-17-card-8.png" }));
        Assert.That(files, Has.All.Matches<string>(File.Exists));
        Assert.That(Scan(files[1]), Is.EqualTo(Uri));
        Assert.That(new LabelPrinter("-").Print(Written, Label, terminal), Is.Empty);
        Assert.That(terminal.Error.ToString(), Does.Contain("oslo-17").And.Contain("█"));
    }

    /// <summary>Four pixels a module, and a light border, as a camera sees it.</summary>
    private string Draw(bool[,] modules)
    {
        var (height, width) = (modules.GetLength(0), modules.GetLength(1));
        var pixels = new byte[height * 4 * width * 4];
        for (var i = 0; i < pixels.Length; i++)
        {
            pixels[i] = modules[i / (width * 4) / 4, i % (width * 4) / 4] ? (byte)0 : (byte)255;
        }

        var file = directory.Combine("drawn.pgm");
        File.WriteAllBytes(file, [.. Encoding.ASCII.GetBytes($"P5\n{width * 4} {height * 4}\n255\n"), .. pixels]);
        return file;
    }

    private static string Scan(string file) => Command.Run("zbarimg", "--quiet", "--raw", file).TrimEnd('\n');
}
