using System.Runtime.InteropServices;

namespace EdgeVirt.Linux;

/// <summary>The clock of the whole machine (CLOCK_REALTIME).</summary>
public static partial class SystemClock
{
    private const int Realtime = 0;

    /// <summary>Sets the clock. Wants CAP_SYS_TIME.</summary>
    /// <exception cref="LinuxException">The kernel refused.</exception>
    public static unsafe void Set(DateTimeOffset moment)
    {
        var milliseconds = moment.ToUnixTimeMilliseconds();
        var time = stackalloc long[2] { milliseconds / 1000, milliseconds % 1000 * 1_000_000 };
        if (ClockSetTime(Realtime, time) != 0)
        {
            throw Native.Failure("set the clock");
        }
    }

    [LibraryImport("libc", EntryPoint = "clock_settime", SetLastError = true)]
    private static unsafe partial int ClockSetTime(int clock, long* time);
}
