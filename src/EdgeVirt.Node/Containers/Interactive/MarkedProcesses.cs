using System.Security.Cryptography;
using EdgeVirt.Linux;
using EdgeVirt.Node.Containers.Oci;

namespace EdgeVirt.Node.Containers.Interactive;

/// <summary>
/// Programs that were started in containers on someone's behalf, and all that they started in turn. They are told from the
/// container's own by an environment variable, which a child inherits even when it makes itself a daemon.
/// </summary>
internal sealed class MarkedProcesses(NodeDirectories directories, TimeProvider time)
{
    private const string Variable = "EDGEVIRT_EXEC";
    private const int Passes = 100;
    private static readonly TimeSpan Between = TimeSpan.FromMilliseconds(20);

    // Several agents may share a machine; each has a control group of its own.
    private readonly string node = Path.GetFileName(directories.CgroupParent);

    /// <summary>A new mark, as the variable with its value.</summary>
    public string NewMark() => $"{Variable}={node}.{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(8))}";

    /// <summary>Kills all that bear a mark, until none is found twice in a row: one may just be starting another.</summary>
    public async Task KillAsync(string mark)
    {
        var clean = 0;
        for (var pass = 0; pass < Passes && clean < 2; pass++)
        {
            clean = Kill(environment => environment == mark) == 0 ? clean + 1 : 0;
            await Task.Delay(Between, time);
        }
    }

    /// <summary>Kills what an agent that was killed itself left behind.</summary>
    public int KillAll() => Kill(environment => environment.StartsWith($"{Variable}={node}.", StringComparison.Ordinal));

    private static int Kill(Func<string, bool> isMeant)
    {
        var killed = 0;
        foreach (var (pid, _) in Processes.List())
        {
            // Looked at before the mark is: another process that gets the number meanwhile is not the one.
            if (Processes.Identify(pid) is { } process && Processes.EnvironmentOf(pid).Any(isMeant) && Processes.Signal(process, Signals.Kill))
            {
                killed++;
            }
        }

        return killed;
    }
}
