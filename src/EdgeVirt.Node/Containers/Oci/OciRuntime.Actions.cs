using System.Globalization;
using System.Net;
using EdgeVirt.Linux;
using EdgeVirt.Node.Containers.Probes;

namespace EdgeVirt.Node.Containers.Oci;

/// <summary>What is done to a running container: commands inside it, questions by network.</summary>
internal sealed partial class OciRuntime
{
    private const int MessageLength = 256;

    private readonly NodeActions actions = new(parts.Network.NewSocket);
    private int execs;

    public Task<ActionAnswer> ActAsync(ContainerRecord container, ContainerAction action, TimeSpan timeout, CancellationToken ct)
    {
        if (action is ContainerAction.Exec exec)
        {
            return ExecAsync(container.Id, exec.Command, timeout, ct);
        }

        var address = records.FindSandbox(container.SandboxId)?.Address;
        return actions.ActAsync(address is null ? IPAddress.Loopback : IPAddress.Parse(address), action, timeout, ct);
    }

    public bool IsRunning(ContainerRecord container) => runs.GetValueOrDefault(container.Id) is { } run && Processes.IsAlive(run.Init);

    // What an agent that was killed had asked for: nobody waits for the answer, and a hook is about to be run again.
    private void EndCommands(string id)
    {
        foreach (var pidFile in Directory.EnumerateFiles(directories.Bundle(id), "exec-*.pid"))
        {
            EndSession(id, pidFile);
            File.Delete(pidFile);
        }
    }

    private async Task<ActionAnswer> ExecAsync(string id, IReadOnlyList<string> command, TimeSpan timeout, CancellationToken ct)
    {
        var pidFile = Path.Combine(directories.Bundle(id), $"exec-{Interlocked.Increment(ref execs).ToString(CultureInfo.InvariantCulture)}.pid");
        try
        {
            var done = await ProcessRunner.RunAsync(
                Binary.Runtime, ["--root", directories.RuntimeState, "exec", "--pid-file", pidFile, id, .. command], timeout, ct: ct, check: false);
            var said = (done.Error.Length > 0 ? done.Error : done.Output).Trim();
            return done.ExitCode == 0
                ? ActionAnswer.Success
                : ActionAnswer.Failed($"exit code {done.ExitCode}{(said.Length == 0 ? "" : ": " + (said.Length > MessageLength ? "…" + said[^MessageLength..] : said))}");
        }
        catch (ProcessFailedException)
        {
            EndSession(id, pidFile);
            return ActionAnswer.Failed($"no end within {timeout.TotalSeconds:0.#} s");
        }
        catch (OperationCanceledException)
        {
            EndSession(id, pidFile);
            throw;
        }
        finally
        {
            if (File.Exists(pidFile))
            {
                File.Delete(pidFile);
            }
        }
    }

    // The runtime makes the command a session of its own: what it started is told by that from the container's other processes.
    private void EndSession(string id, string pidFile)
    {
        if (File.Exists(pidFile) && int.TryParse(File.ReadAllText(pidFile), CultureInfo.InvariantCulture, out var session))
        {
            foreach (var process in Processes.InSession(session, cgroups.Processes(directories.Cgroup(id))))
            {
                Processes.Signal(process, Signals.Kill);
            }
        }
    }
}
