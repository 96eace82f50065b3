using System.Globalization;

namespace EdgeVirt.Cli.Interactive;

/// <summary>A port here and the one of the workload to which it leads.</summary>
/// <param name="Local">0: any that is free.</param>
/// <param name="Remote">1 to 65535.</param>
internal readonly record struct PortMapping(ushort Local, ushort Remote)
{
    /// <summary>Reads <c>8080:80</c>, <c>80</c> (the same on both sides) or <c>:80</c> (any free port here).</summary>
    /// <exception cref="CliException">It is none of these.</exception>
    public static PortMapping Parse(string text)
    {
        var parts = text.Split(':');
        if (parts.Length <= 2 && TryPort(parts[^1], out var remote) && remote > 0)
        {
            if (parts.Length == 1)
            {
                return new PortMapping(remote, remote);
            }

            if (parts[0].Length == 0 || TryPort(parts[0], out _))
            {
                return new PortMapping(TryPort(parts[0], out var local) ? local : (ushort)0, remote);
            }
        }

        throw new CliException(ExitCodes.Usage, $"'{text}' names no ports.", "Write LOCAL:REMOTE such as 8080:80, or 80 for the same on both sides, or :80 for any free port here.");
    }

    private static bool TryPort(string text, out ushort port) => ushort.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out port);
}
