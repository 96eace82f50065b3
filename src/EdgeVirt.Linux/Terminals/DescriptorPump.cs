using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace EdgeVirt.Linux.Terminals;

/// <summary>Pipes, and a thread that carries what one descriptor gives to another: terminals have no other way to be read without blocking.</summary>
internal static unsafe class DescriptorPump
{
    private const int BufferBytes = 16 << 10;

    /// <summary>A pipe that children do not inherit.</summary>
    /// <exception cref="LinuxException">The kernel refused.</exception>
    public static (SafePipeHandle Reading, SafePipeHandle Writing) Pipe()
    {
        var fds = stackalloc int[2];
        return Native.Pipe(fds, Native.O_CLOEXEC) == 0
            ? (new SafePipeHandle(fds[0], ownsHandle: true), new SafePipeHandle(fds[1], ownsHandle: true))
            : throw Native.Failure("make a pipe");
    }

    /// <summary>Copies until either side ends, then calls <paramref name="ended"/>.</summary>
    public static Task Start(int from, int to, Action ended)
    {
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        new Thread(() =>
        {
            Copy(from, to);
            ended();
            done.SetResult();
        }, maxStackSize: 256 << 10) { IsBackground = true }.Start();
        return done.Task;
    }

    private static void Copy(int from, int to)
    {
        var buffer = stackalloc byte[BufferBytes];
        while (true)
        {
            var count = Native.Read(from, buffer, BufferBytes);
            if (count < 0 && Marshal.GetLastPInvokeError() == Native.EINTR)
            {
                continue;
            }

            // A terminal whose other side was closed says EIO.
            if (count <= 0 || !Write(to, buffer, count))
            {
                return;
            }
        }
    }

    private static bool Write(int to, byte* buffer, nint count)
    {
        while (count > 0)
        {
            var written = Native.Write(to, buffer, count);
            if (written < 0 && Marshal.GetLastPInvokeError() != Native.EINTR)
            {
                return false;
            }

            var done = Math.Max(0, written);
            buffer += done;
            count -= done;
        }

        return true;
    }
}
