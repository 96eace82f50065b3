using System.Globalization;

namespace EdgeVirt.Node.Containers.Oci;

/// <summary>Numbers and names of signals on Linux (signal(7); the same on x86 and ARM).</summary>
internal static class Signals
{
    public const int Kill = 9;
    public const int Terminate = 15;

    private static readonly Dictionary<int, string> Names = new()
    {
        [1] = "SIGHUP", [2] = "SIGINT", [3] = "SIGQUIT", [4] = "SIGILL", [5] = "SIGTRAP", [6] = "SIGABRT", [7] = "SIGBUS", [8] = "SIGFPE",
        [9] = "SIGKILL", [10] = "SIGUSR1", [11] = "SIGSEGV", [12] = "SIGUSR2", [13] = "SIGPIPE", [14] = "SIGALRM", [15] = "SIGTERM",
        [17] = "SIGCHLD", [18] = "SIGCONT", [19] = "SIGSTOP", [20] = "SIGTSTP", [24] = "SIGXCPU", [25] = "SIGXFSZ", [28] = "SIGWINCH", [31] = "SIGSYS",
    };

    public static string NameOf(int signal) => Names.GetValueOrDefault(signal) ?? $"signal {signal}";

    /// <summary><c>SIGQUIT</c>, <c>QUIT</c>, <c>SIGRTMIN+3</c> or a number; SIGTERM for what is none of them.</summary>
    public static int Parse(string? text)
    {
        if (string.IsNullOrEmpty(text))
        {
            return Terminate;
        }

        if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number))
        {
            return number is > 0 and <= 64 ? number : Terminate;
        }

        var name = text.StartsWith("SIG", StringComparison.OrdinalIgnoreCase) ? text.ToUpperInvariant() : "SIG" + text.ToUpperInvariant();
        if (name.StartsWith("SIGRTMIN+", StringComparison.Ordinal) && int.TryParse(name.AsSpan(9), CultureInfo.InvariantCulture, out var offset))
        {
            return offset is >= 0 and <= 30 ? 34 + offset : Terminate;
        }

        return Names.FirstOrDefault(pair => pair.Value == name).Key is > 0 and var found ? found : Terminate;
    }
}
