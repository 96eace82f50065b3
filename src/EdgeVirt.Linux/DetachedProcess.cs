using System.Collections;
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
    private const short SetDefaultSignals = 0x04;

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
                pid = Spawn(file, args, environment, writing);
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

    private static int Spawn(string file, IReadOnlyList<string> args, IReadOnlyDictionary<string, string> environment, int pipe)
    {
        var variables = new List<string>();
        foreach (DictionaryEntry entry in Environment.GetEnvironmentVariables())
        {
            if (entry.Key is string key && key != "NOTIFY_SOCKET" && !environment.ContainsKey(key))
            {
                variables.Add($"{key}={entry.Value}");
            }
        }

        variables.AddRange(environment.Select(pair => $"{pair.Key}={pair.Value}"));
        var argv = Strings([file, .. args]);
        var envp = Strings(variables);
        // On 64-bit machines glibc's posix_spawn_file_actions_t is 80 bytes, posix_spawnattr_t 336, sigset_t 128.
        var actions = stackalloc byte[256];
        var attributes = stackalloc byte[512];
        var signals = stackalloc byte[128];
        _ = Native.SpawnActionsInit(actions);
        _ = Native.SpawnAttributesInit(attributes);
        // .NET ignores SIGPIPE, and what is ignored stays so in every descendant that does not know.
        _ = Native.FillSignalSet(signals);
        _ = Native.SpawnAttributesDefaultSignals(attributes, signals);
        _ = Native.SpawnAttributesFlags(attributes, SetDefaultSignals);
        try
        {
            // dup2 clears close-on-exec; were the descriptor 3 already, glibc clears it all the same.
            _ = Native.SpawnActionsDup(actions, pipe, PipeFd);
            int pid;
            var error = Native.Spawn(&pid, argv[0], actions, attributes, argv, envp);
            return error == 0 ? pid : throw new ProcessFailedException(file, "could not be started; is the package that has it installed?", new LinuxException($"spawn {file}", error));
        }
        finally
        {
            _ = Native.SpawnActionsDestroy(actions);
            _ = Native.SpawnAttributesDestroy(attributes);
            Free(argv);
            Free(envp);
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

    private static byte** Strings(List<string> texts)
    {
        var list = (byte**)NativeMemory.AllocZeroed((nuint)texts.Count + 1, (nuint)sizeof(byte*));
        for (var i = 0; i < texts.Count; i++)
        {
            list[i] = (byte*)Marshal.StringToCoTaskMemUTF8(texts[i]);
        }

        return list;
    }

    private static void Free(byte** strings)
    {
        for (var i = 0; strings[i] is not null; i++)
        {
            Marshal.FreeCoTaskMem((nint)strings[i]);
        }

        NativeMemory.Free(strings);
    }
}
