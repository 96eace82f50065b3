using System.Globalization;

namespace EdgeVirt.Linux;

/// <summary>Which interface has the way out: /proc/net/route and /proc/net/ipv6_route, as proc(5) describes them.</summary>
public static class DefaultRoutes
{
    private const int Up = 1;
    private const int Reject = 0x200;

    /// <summary>The interface of the default route with the least metric, of IPv4 first; null: there is none.</summary>
    /// <param name="root">The root directory, another one in tests.</param>
    public static string? Interface(string root = "/") =>
        Least(Lines(Path.Combine(root, "proc/net/route")).Skip(1), fields => fields is [var name, "00000000", _, var flags, _, _, var metric, "00000000", ..]
            ? (name, Hex(flags), int.TryParse(metric, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : int.MaxValue)
            : null)
        ?? Least(Lines(Path.Combine(root, "proc/net/ipv6_route")), fields => fields is [var target, "00", _, _, _, var metric, _, _, var flags, var name] && target.All(digit => digit == '0')
            ? (name, Hex(flags), Hex(metric))
            : null);

    private static string? Least(IEnumerable<string> lines, Func<string[], (string Name, long Flags, long Metric)?> read) => lines
        .Select(line => read(line.Split([' ', '\t'], StringSplitOptions.RemoveEmptyEntries)))
        .OfType<(string Name, long Flags, long Metric)>()
        .Where(route => (route.Flags & Up) != 0 && (route.Flags & Reject) == 0 && route.Name != "lo")
        .OrderBy(route => route.Metric)
        .Select(route => route.Name)
        .FirstOrDefault();

    private static long Hex(string text) => long.TryParse(text, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var number) ? number : 0;

    private static string[] Lines(string path)
    {
        try
        {
            return File.Exists(path) ? File.ReadAllLines(path) : [];
        }
        catch (IOException)
        {
            return [];
        }
    }
}
