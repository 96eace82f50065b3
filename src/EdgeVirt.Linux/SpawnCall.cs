using System.Collections;
using System.Runtime.InteropServices;

namespace EdgeVirt.Linux;

/// <summary>posix_spawn(3), for programs that get descriptors which System.Diagnostics.Process cannot hand on.</summary>
internal static unsafe class SpawnCall
{
    private const short SetDefaultSignals = 0x04;
    private const short NewSession = 0x80;

    /// <summary>Starts a program.</summary>
    /// <param name="file">Program, with its path.</param>
    /// <param name="args">Arguments without the program's name.</param>
    /// <param name="environment">Variables in addition to those of this process.</param>
    /// <param name="newSession">Whether it leads a session of its own, away from this process's terminal.</param>
    /// <param name="descriptors">What it gets under which number; all else is closed, as everything here is close-on-exec.</param>
    /// <returns>Its process id; it has to be waited for.</returns>
    /// <exception cref="ProcessFailedException">It did not start.</exception>
    public static int Spawn(
        string file, IReadOnlyList<string> args, IReadOnlyDictionary<string, string> environment, bool newSession, params ReadOnlySpan<(int From, int To)> descriptors)
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
        _ = Native.SpawnAttributesFlags(attributes, newSession ? (short)(SetDefaultSignals | NewSession) : SetDefaultSignals);
        try
        {
            // dup2 clears close-on-exec; were the number the same already, glibc clears it all the same.
            foreach (var (from, to) in descriptors)
            {
                _ = Native.SpawnActionsDup(actions, from, to);
            }

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
