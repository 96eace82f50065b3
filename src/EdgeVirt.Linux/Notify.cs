using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace EdgeVirt.Linux;

/// <summary>Word to the service manager (sd_notify(3)). Without one (no NOTIFY_SOCKET) nothing happens.</summary>
public static class Notify
{
    /// <summary>How often <see cref="Watchdog"/> is due: half of what the service manager allows; null: not asked for.</summary>
    public static TimeSpan? WatchdogInterval => IntervalOf(
        Environment.GetEnvironmentVariable("WATCHDOG_USEC"), Environment.GetEnvironmentVariable("WATCHDOG_PID"));

    /// <summary>Start-up is complete.</summary>
    public static void Ready() => Send("READY=1");

    /// <summary>Still alive.</summary>
    public static void Watchdog() => Send("WATCHDOG=1");

    /// <summary>Shutting down.</summary>
    public static void Stopping() => Send("STOPPING=1");

    /// <summary>The start or stop that is under way takes so much longer from now on.</summary>
    public static void ExtendTimeout(TimeSpan more) => Send(string.Create(CultureInfo.InvariantCulture, $"EXTEND_TIMEOUT_USEC={(long)more.TotalMicroseconds}"));

    /// <summary>One line for people in <c>systemctl status</c>.</summary>
    public static void Status(string text) => Send("STATUS=" + text.ReplaceLineEndings(" "));

    internal static TimeSpan? IntervalOf(string? microseconds, string? pid)
    {
        var forUs = pid is null || (int.TryParse(pid, CultureInfo.InvariantCulture, out var value) && value == Environment.ProcessId);
        return forUs && long.TryParse(microseconds, CultureInfo.InvariantCulture, out var usec) && usec > 0
            ? TimeSpan.FromMicroseconds(usec / 2.0)
            : null;
    }

    private static void Send(string message)
    {
        if (Environment.GetEnvironmentVariable("NOTIFY_SOCKET") is not { Length: > 1 } path)
        {
            return;
        }

        try
        {
            using var socket = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
            // A leading @ stands for the abstract name space.
            socket.SendTo(Encoding.UTF8.GetBytes(message), new UnixDomainSocketEndPoint(path[0] == '@' ? "\0" + path[1..] : path));
        }
        catch (SocketException)
        {
            // A service manager that does not listen must not cost the node its workloads.
        }
    }
}
