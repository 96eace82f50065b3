using System.Runtime.InteropServices;

namespace EdgeVirt.Linux;

/// <summary>Programs that run on when this process ends: in a session of their own, with a file for what they say, and no pipe to anybody.</summary>
public static unsafe class LastingProcess
{
    private const int DoNotWait = 1; // WNOHANG
    private static readonly Dictionary<string, string> NoEnvironment = [];

    /// <summary>Starts a program.</summary>
    /// <param name="file">Program, with its path. It may replace itself by another (exec); the id stays.</param>
    /// <param name="args">Arguments without the program's name.</param>
    /// <param name="logPath">Made anew; standard output and error go there.</param>
    /// <returns>Which process it is. It has to be asked about by <see cref="HasEnded"/>; a later run of this program need not.</returns>
    /// <exception cref="ProcessFailedException">It did not start.</exception>
    /// <exception cref="IOException">The log cannot be made.</exception>
    public static ProcessIdentity Start(string file, IReadOnlyList<string> args, string logPath)
    {
        File.Delete(logPath);
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite };
        using var log = new FileStream(logPath, options);
        using var nothing = File.OpenHandle("/dev/null", FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        var number = (int)log.SafeFileHandle.DangerousGetHandle();
        var pid = SpawnCall.Spawn(file, args, NoEnvironment, newSession: true, ((int)nothing.DangerousGetHandle(), 0), (number, 1), (number, 2));
        if (Processes.Identify(pid) is { } process)
        {
            return process;
        }

        Collect(pid, out _);
        throw new ProcessFailedException(file, $"ended at once: {File.ReadAllText(logPath).Trim()}");
    }

    /// <summary>
    /// Whether a process has ended, with all of its threads. One that this run of the program started is collected then, so that its id becomes free:
    /// after it was told to have ended once, it must not be asked about again.
    /// </summary>
    /// <param name="process">Which.</param>
    /// <param name="exitCode">0 is success; 128 + signal where a signal ended it; null where it runs or is nobody's child here.</param>
    public static bool HasEnded(ProcessIdentity process, out int? exitCode)
    {
        exitCode = null;
        return !Processes.IsAlive(process) && Collect(process.Pid, out exitCode);
    }

    private static bool Collect(int pid, out int? exitCode)
    {
        var status = 0;
        int result;
        while ((result = Native.WaitProcess(pid, &status, DoNotWait)) < 0 && Marshal.GetLastPInvokeError() == Native.EINTR)
        {
        }

        exitCode = result == pid ? (status & 0x7f) == 0 ? (status >> 8) & 0xff : 128 + (status & 0x7f) : null;
        // Zero: other threads of it are still ending.
        return result != 0;
    }
}
