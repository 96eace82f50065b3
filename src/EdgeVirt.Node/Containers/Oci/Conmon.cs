using System.Globalization;
using System.Text.Json;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Linux;
using EdgeVirt.Node.Containers.Logs;

namespace EdgeVirt.Node.Containers.Oci;

/// <summary>
/// conmon: one small process per container that holds its output and waits for its end, whatever becomes of the agent.
/// </summary>
internal static class Conmon
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(60);
    private static readonly Dictionary<string, string> Environment = new() { ["_OCI_SYNCPIPE"] = "3" };

    /// <summary>Creates the container of a bundle; its process waits for the runtime's <c>start</c>. Blocks.</summary>
    /// <param name="binary">Which runtime.</param>
    /// <param name="id">The container's.</param>
    /// <param name="spec">Says whether it has input and terminal.</param>
    /// <param name="log">Where its output goes.</param>
    /// <param name="directories">Where its bundle is.</param>
    /// <returns>Process id of the container.</returns>
    /// <exception cref="StartFailedException">The runtime refused; the message says why.</exception>
    public static int Create(RuntimeBinary binary, string id, ContainerSpec spec, LogTarget log, NodeDirectories directories)
    {
        var runtimeLog = Path.Combine(directories.Bundle(id), "runtime.log");
        string[] args =
        [
            "--api-version", "1", "-c", id, "-u", id, "-n", id, "-r", binary.Runtime, "-b", directories.Bundle(id), "--full-attach",
            "-p", directories.PidFile(id), "-l", $"k8s-file:{log.Path}",
            "--log-size-max", log.MaxSizeBytes.ToString(CultureInfo.InvariantCulture), "--exit-dir", directories.Exits, "--no-sync-log",
            "--runtime-arg", "--root", "--runtime-arg", directories.RuntimeState,
            "--runtime-arg", "--log", "--runtime-arg", runtimeLog, "--runtime-arg", "--log-format=json",
            // Who attaches and leaves does not end the input: the next one may come.
            .. spec.Stdin == true ? (string[])["-i", "--leave-stdin-open"] : [],
            .. spec.Tty == true ? (string[])["-t"] : [],
        ];
        string said;
        try
        {
            said = DetachedProcess.Start(binary.Conmon, args, Environment, Timeout);
        }
        catch (ProcessFailedException e)
        {
            throw new StartFailedException(e.Message, e);
        }

        var report = Parse(said);
        return report is { Data: > 0 }
            ? report.Data
            : throw new StartFailedException(RuntimeLog.FailureIn(runtimeLog) ?? report?.Message ?? "conmon ended without a word; see the system's log");
    }

    /// <summary>The conmon processes that serve bundles below a directory, by container id.</summary>
    public static IReadOnlyDictionary<string, ProcessIdentity> Find(string bundles)
    {
        var found = new Dictionary<string, ProcessIdentity>();
        foreach (var (pid, arguments) in Processes.List())
        {
            if (BundleOf(arguments) is { } bundle && Path.GetDirectoryName(bundle) == bundles && Processes.Identify(pid) is { } process)
            {
                found[Path.GetFileName(bundle)] = process;
            }
        }

        return found;
    }

    /// <summary>Null where these are not the arguments of a conmon.</summary>
    public static string? BundleOf(IReadOnlyList<string> arguments)
    {
        if (arguments.Count == 0 || Path.GetFileName(arguments[0]) != "conmon")
        {
            return null;
        }

        for (var i = 1; i + 1 < arguments.Count; i++)
        {
            if (arguments[i] == "-b")
            {
                return arguments[i + 1];
            }
        }

        return null;
    }

    private static ConmonReport? Parse(string said)
    {
        try
        {
            return JsonSerializer.Deserialize(said, RuntimeSpecJson.Default.ConmonReport);
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
