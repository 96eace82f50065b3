using System.Runtime.InteropServices;

namespace EdgeVirt.Linux;

/// <summary>Programs that run on when this process ends: in a session of their own, with a file for what they say, and no pipe to anybody.</summary>
public static unsafe partial class LastingProcess
{
    private const int DoNotWait = 1; // WNOHANG
    private const int DuplicateAbove = 1030; // F_DUPFD_CLOEXEC
    private static readonly Dictionary<string, string> NoEnvironment = [];

    /// <summary>Starts a program.</summary>
    /// <param name="file">Program, with its path. It may replace itself by another (exec); the id stays.</param>
    /// <param name="args">Arguments without the program's name.</param>
    /// <param name="logPath">Made anew; standard output and error go there.</param>
    /// <param name="descriptors">What else it gets, under which number.</param>
    /// <returns>Which process it is. It has to be asked about by <see cref="HasEnded"/>; a later run of this program need not.</returns>
    /// <exception cref="ProcessFailedException">It did not start.</exception>
    /// <exception cref="IOException">The log cannot be made.</exception>
    public static ProcessIdentity Start(string file, IReadOnlyList<string> args, string logPath, params IReadOnlyList<(SafeHandle File, int Number)> descriptors)
    {
        File.Delete(logPath);
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite };
        using var log = new FileStream(logPath, options);
        using var nothing = File.OpenHandle("/dev/null", FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        var number = (int)log.SafeFileHandle.DangerousGetHandle();
        // One after the other takes its number: none may have a number that another one is to have.
        var above = descriptors.Select(given => given.Number).Append(2).Max() + 1;
        List<int> copies = [];
        int pid;
        try
        {
            copies.AddRange(descriptors.Select(given => Copy((int)given.File.DangerousGetHandle(), above)));
            (int, int)[] all =
            [
                ((int)nothing.DangerousGetHandle(), 0), (number, 1), (number, 2), .. copies.Zip(descriptors, (copy, given) => (copy, given.Number)),
            ];
            pid = SpawnCall.Spawn(file, args, NoEnvironment, newSession: true, all);
        }
        finally
        {
            copies.ForEach(copy => _ = Native.Close(copy));
        }

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

    private static int Copy(int descriptor, int least) =>
        Control(descriptor, DuplicateAbove, least) is var copy and >= 0 ? copy : throw Native.Failure("duplicate a descriptor");

    [LibraryImport("libc", EntryPoint = "fcntl", SetLastError = true)]
    private static partial int Control(int descriptor, int command, int argument);

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
