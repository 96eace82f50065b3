using System.Globalization;
using System.Runtime.InteropServices;

namespace EdgeVirt.Linux;

/// <summary>A process that cannot be mistaken for a later one with the same id.</summary>
/// <param name="Pid">Process id.</param>
/// <param name="StartTime">Clock ticks after boot at which it began, field 22 of /proc/PID/stat.</param>
public sealed record ProcessIdentity(int Pid, long StartTime);

/// <summary>Processes of other programs.</summary>
public static class Processes
{
    /// <summary>User and group to which what this process makes belongs.</summary>
    public static (uint User, uint Group) Owner => (Native.EffectiveUser(), Native.EffectiveGroup());

    /// <summary>Who has a process id now; null: nobody, or one that ended and waits to be collected.</summary>
    public static ProcessIdentity? Identify(int pid)
    {
        try
        {
            return StartTimeOf(File.ReadAllText($"/proc/{pid.ToString(CultureInfo.InvariantCulture)}/stat")) is { } time ? new ProcessIdentity(pid, time) : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>Number of CAP_SYS_RESOURCE (capabilities(7)).</summary>
    public const int CapSysResource = 24;

    /// <summary>Whether this process has a capability in its effective set.</summary>
    public static bool HasCapability(int capability)
    {
        const string Key = "CapEff:";
        var line = File.ReadLines("/proc/self/status").First(line => line.StartsWith(Key, StringComparison.Ordinal));
        return (ulong.Parse(line.AsSpan(Key.Length).Trim(), NumberStyles.HexNumber, CultureInfo.InvariantCulture) >> capability & 1) == 1;
    }

    /// <summary>What the kernel adds to this process's badness when memory runs out, -1000 to 1000.</summary>
    public static int OwnOomScoreAdjustment => int.Parse(File.ReadAllText("/proc/self/oom_score_adj"), CultureInfo.InvariantCulture);

    /// <summary>Sets it for another process, and those that it starts from then on. False: it is gone, or lower than this process may.</summary>
    public static bool SetOomScoreAdjustment(int pid, int adjustment)
    {
        try
        {
            File.WriteAllText($"/proc/{pid.ToString(CultureInfo.InvariantCulture)}/oom_score_adj", adjustment.ToString(CultureInfo.InvariantCulture));
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    /// <summary>Whether that very process still runs.</summary>
    public static bool IsAlive(ProcessIdentity process) => Identify(process.Pid) == process;

    /// <summary>Sends a signal to that very process. False: it is gone.</summary>
    /// <exception cref="LinuxException">It is not ours to signal.</exception>
    public static bool Signal(ProcessIdentity process, int signal)
    {
        if (!IsAlive(process))
        {
            return false;
        }

        return Native.Kill(process.Pid, signal) == 0 ||
            (Marshal.GetLastPInvokeError() == Native.ESRCH ? false : throw Native.Failure($"signal process {process.Pid}"));
    }

    /// <summary>The process that started another or took it over; null: no such process.</summary>
    public static ProcessIdentity? ParentOf(int pid)
    {
        try
        {
            var stat = File.ReadAllText($"/proc/{pid.ToString(CultureInfo.InvariantCulture)}/stat");
            var fields = stat[(stat.LastIndexOf(')') + 1)..].Split(' ', StringSplitOptions.RemoveEmptyEntries);
            return fields.Length > 1 && int.TryParse(fields[1], CultureInfo.InvariantCulture, out var parent) ? Identify(parent) : null;
        }
        catch (IOException)
        {
            return null;
        }
    }

    /// <summary>Every process with its arguments, without those of the kernel.</summary>
    public static IEnumerable<(int Pid, IReadOnlyList<string> Arguments)> List()
    {
        foreach (var directory in Directory.EnumerateDirectories("/proc"))
        {
            if (int.TryParse(Path.GetFileName(directory), NumberStyles.None, CultureInfo.InvariantCulture, out var pid) && ArgumentsOf(pid) is { Count: > 0 } arguments)
            {
                yield return (pid, arguments);
            }
        }
    }

    /// <summary>Arguments of a process; empty: there is none, or it has none.</summary>
    public static IReadOnlyList<string> ArgumentsOf(int pid)
    {
        try
        {
            return File.ReadAllText($"/proc/{pid.ToString(CultureInfo.InvariantCulture)}/cmdline").Split('\0', StringSplitOptions.RemoveEmptyEntries);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }

    /// <summary>Environment with which a process began its program, as <c>NAME=value</c>; empty: there is none, or it may not be read.</summary>
    public static IReadOnlyList<string> EnvironmentOf(int pid)
    {
        try
        {
            return File.ReadAllText($"/proc/{pid.ToString(CultureInfo.InvariantCulture)}/environ").Split('\0', StringSplitOptions.RemoveEmptyEntries);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }

    /// <summary>Whether a process is in a control group (or one below it), in any hierarchy.</summary>
    public static bool IsInCgroup(int pid, string path)
    {
        try
        {
            // hierarchy:controllers:path
            return File.ReadLines($"/proc/{pid.ToString(CultureInfo.InvariantCulture)}/cgroup")
                .Select(line => line.Split(':', 3))
                .Any(fields => fields.Length == 3 && (fields[2] == path || fields[2].StartsWith(path + "/", StringComparison.Ordinal)));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    /// <summary>Those of some processes that are in a session (setsid(2)), told by its leader's id.</summary>
    public static IReadOnlyList<ProcessIdentity> InSession(int session, IEnumerable<int> pids)
    {
        var found = new List<ProcessIdentity>();
        foreach (var pid in pids)
        {
            try
            {
                var stat = File.ReadAllText($"/proc/{pid.ToString(CultureInfo.InvariantCulture)}/stat");
                var fields = stat[(stat.LastIndexOf(')') + 1)..].Split(' ', StringSplitOptions.RemoveEmptyEntries);
                if (fields.Length > 3 && fields[3] == session.ToString(CultureInfo.InvariantCulture) && StartTimeOf(stat) is { } time)
                {
                    found.Add(new ProcessIdentity(pid, time));
                }
            }
            catch (IOException)
            {
                // It ended meanwhile.
            }
        }

        return found;
    }

    // pid (comm) state ppid …; comm may hold spaces and parentheses, so the fields count from the last one.
    internal static long? StartTimeOf(string stat)
    {
        var fields = stat[(stat.LastIndexOf(')') + 1)..].Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return fields.Length > 19 && fields[0] is not ("Z" or "X") && long.TryParse(fields[19], CultureInfo.InvariantCulture, out var time) ? time : null;
    }
}
