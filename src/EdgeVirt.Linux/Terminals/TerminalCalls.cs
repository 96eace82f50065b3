using System.Runtime.InteropServices;

namespace EdgeVirt.Linux.Terminals;

/// <summary>Terminals by glibc on 64-bit Linux (termios(3), ioctl_tty(2)); numbers are the same on x86 and ARM.</summary>
internal static unsafe partial class TerminalCalls
{
    /// <summary>More than glibc's struct termios (60 bytes).</summary>
    public const int SettingsBytes = 128;

    private const ulong GetWindowSize = 0x5413;
    private const ulong SetWindowSize = 0x5414;

    [LibraryImport("libc", EntryPoint = "posix_openpt", SetLastError = true)]
    public static partial int OpenMaster(int flags);

    [LibraryImport("libc", EntryPoint = "grantpt", SetLastError = true)]
    public static partial int Grant(int master);

    [LibraryImport("libc", EntryPoint = "unlockpt", SetLastError = true)]
    public static partial int Unlock(int master);

    [LibraryImport("libc", EntryPoint = "ptsname_r", SetLastError = true)]
    public static partial int SlaveName(int master, byte* name, nuint size);

    [LibraryImport("libc", EntryPoint = "tcgetattr", SetLastError = true)]
    public static partial int GetSettings(int fd, byte* settings);

    // 1: when what was written has been sent, and what was typed stays (TCSADRAIN).
    [LibraryImport("libc", EntryPoint = "tcsetattr", SetLastError = true)]
    public static partial int SetSettings(int fd, int when, byte* settings);

    [LibraryImport("libc", EntryPoint = "cfmakeraw")]
    public static partial void MakeRaw(byte* settings);

    public static TerminalSize? SizeOf(int fd)
    {
        var size = default(WindowSize);
        return Control(fd, GetWindowSize, &size) == 0 && size is { Columns: > 0, Rows: > 0 } ? new TerminalSize(size.Columns, size.Rows) : null;
    }

    public static void Resize(int fd, TerminalSize to)
    {
        var size = new WindowSize { Columns = to.Columns, Rows = to.Rows };
        _ = Control(fd, SetWindowSize, &size);
    }

    [LibraryImport("libc", EntryPoint = "ioctl", SetLastError = true)]
    private static partial int Control(int fd, ulong request, WindowSize* size);

    [StructLayout(LayoutKind.Sequential)]
    private struct WindowSize
    {
        public ushort Rows;
        public ushort Columns;
        public ushort PixelsAcross;
        public ushort PixelsDown;
    }
}
