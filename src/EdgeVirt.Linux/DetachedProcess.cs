using System.Runtime.InteropServices;
using System.Text;

namespace EdgeVirt.Linux;

/// <summary>
/// Starts a program that puts itself into the background (conmon) and reports through an inherited pipe, which
/// System.Diagnostics.Process cannot hand on.
/// </summary>
public static unsafe class DetachedProcess
{
    private const int PipeFd = 3;
    private const int Limit = 64 << 10;

    /// <summary>
    /// Starts the program with the writing end of a pipe as descriptor 3, waits until the process itself has ended (what
    /// it left in the background lives on) and until the pipe has given a whole line or was closed. Blocks its thread.
    /// </summary>
    /// <param name="file">Program, with its path.</param>
    /// <param name="args">Arguments without the program's name.</param>
    /// <param name="environment">Variables in addition to those of this process.</param>
    /// <param name="timeout">Longest time for the line.</param>
    /// <returns>What came through the pipe; empty where it was closed unused.</returns>
    /// <exception cref="ProcessFailedException">It did not start, failed, or took too long.</exception>
    public static string Start(string file, IReadOnlyList<string> args, IReadOnlyDictionary<string, string> environment, TimeSpan timeout)
    {
        var fds = stackalloc int[2];
        if (Native.Pipe(fds, Native.O_CLOEXEC) != 0)
        {
            throw Native.Failure("make a pipe");
        }

        var (reading, writing) = (fds[0], fds[1]);
        try
        {
            int pid;
            try
            {
                pid = SpawnCall.Spawn(file, args, environment, newSession: false, (writing, PipeFd));
            }
            finally
            {
                _ = Native.Close(writing);
            }

            var status = 0;
            while (Native.WaitProcess(pid, &status, 0) < 0 && Marshal.GetLastPInvokeError() == Native.EINTR)
            {
            }

            var said = ReadLine(file, reading, timeout);
            var exitCode = (status & 0x7f) == 0 ? (status >> 8) & 0xff : 128 + (status & 0x7f);
            return exitCode == 0 ? said : throw new ProcessFailedException(file, exitCode, said);
        }
        finally
        {
            _ = Native.Close(reading);
        }
    }

    private static string ReadLine(string file, int fd, TimeSpan timeout)
    {
        var end = Environment.TickCount64 + (long)timeout.TotalMilliseconds;
        var said = new List<byte>();
        var buffer = stackalloc byte[4096];
        while (said.Count < Limit)
        {
            var poll = new Native.PollFd { Fd = fd, Events = Native.POLLIN };
            var ready = Native.Poll(&poll, 1, (int)Math.Clamp(end - Environment.TickCount64, 0, int.MaxValue));
            if (ready == 0)
            {
                throw new ProcessFailedException(file, $"did not report within {timeout.TotalSeconds:0.#} s");
            }

            var count = ready < 0 ? -1 : Native.Read(fd, buffer, 4096);
            if (count < 0 && Marshal.GetLastPInvokeError() == Native.EINTR)
            {
                continue;
            }

            if (count <= 0)
            {
                break;
            }

            said.AddRange(new ReadOnlySpan<byte>(buffer, (int)count));
            if (said[^1] == '\n')
            {
                break;
            }
        }

        return Encoding.UTF8.GetString(CollectionsMarshal.AsSpan(said));
    }
}
