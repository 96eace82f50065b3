using System.Formats.Tar;
using System.IO.Compression;

namespace EdgeVirt.Cli.Interactive.Browser;

/// <summary>The files of the page: our own, and noVNC as it was published, with its licence.</summary>
internal sealed class BrowserPages
{
    private const string Library = "novnc/";

    private readonly Dictionary<string, byte[]> files = [];

    private BrowserPages()
    {
    }

    /// <summary>The files that this program has in it.</summary>
    public static BrowserPages Load()
    {
        var pages = new BrowserPages();
        foreach (var name in (string[])["display.html", "display.js", "display.css"])
        {
            using var content = Open(name);
            pages.files[name] = ToArray(content);
        }

        using var unpacked = new GZipStream(Open("novnc.tar.gz"), CompressionMode.Decompress);
        using var tar = new TarReader(unpacked);
        while (tar.GetNextEntry() is { } entry)
        {
            if (entry.DataStream is { } content)
            {
                pages.files[Library + entry.Name] = ToArray(content);
            }
        }

        return pages;
    }

    /// <summary>A file by the path that was asked for, which begins with a slash. Null: there is none.</summary>
    public (string Type, byte[] Content)? Find(string path)
    {
        var name = path is "/" ? "display.html" : path[1..];
        return files.TryGetValue(name, out var content) ? (TypeOf(name), content) : null;
    }

    private static string TypeOf(string name) => Path.GetExtension(name) switch
    {
        ".html" => "text/html; charset=utf-8",
        ".js" => "text/javascript; charset=utf-8",
        ".css" => "text/css; charset=utf-8",
        _ => "text/plain; charset=utf-8",
    };

    private static Stream Open(string name) => typeof(BrowserPages).Assembly.GetManifestResourceStream($"browser/{name}")!;

    private static byte[] ToArray(Stream content)
    {
        using var copy = new MemoryStream();
        content.CopyTo(copy);
        return copy.ToArray();
    }
}
