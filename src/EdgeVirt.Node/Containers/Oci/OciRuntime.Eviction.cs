using System.Globalization;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Linux;
using Microsoft.Extensions.Logging;

namespace EdgeVirt.Node.Containers.Oci;

/// <summary>Eviction: what a workload wrote is taken from it, because the node needs the space.</summary>
internal sealed partial class OciRuntime
{
    /// <summary>Reason of the exit of a run that was evicted.</summary>
    public const string Evicted = "Evicted";

    private readonly SemaphoreSlim evicting = new(1, 1);

    public async Task EvictAsync(SandboxRecord sandbox, string why, CancellationToken ct)
    {
        // All marks are on the tmpfs: there is no space on the disk, and a reboot evicts nobody a second time.
        usable[sandbox.Id] = false;
        File.WriteAllText(EvictionOf(sandbox.Id), why);
        File.Delete(directories.SandboxMark(sandbox.Id));
        LogEvicting(sandbox.Workload, why);
        var killed = new List<ContainerRecord>();
        foreach (var container in records.Containers.Where(container => container.SandboxId == sandbox.Id && container.Exit is null))
        {
            if (runs.GetValueOrDefault(container.Id) is { } run)
            {
                File.WriteAllText(WhyEvicted(container.Id), why);
                Processes.Signal(run.Init, Signals.Kill);
                killed.Add(container);
            }
        }

        await evicting.WaitAsync(ct);
        try
        {
            await FreeAsync(sandbox, killed, ct);
        }
        finally
        {
            evicting.Release();
        }
    }

    // At once, and not when the exits are recorded: on a full disk they cannot be.
    private async Task FreeAsync(SandboxRecord sandbox, List<ContainerRecord> killed, CancellationToken ct)
    {
        foreach (var container in killed)
        {
            await EndsWithinAsync(container, KillTimeout, ct);
        }

        // Without the mark the sandbox has been made anew already.
        if (!File.Exists(EvictionOf(sandbox.Id)))
        {
            return;
        }

        foreach (var container in killed)
        {
            while (Mounts.Unmount(directories.Root(container.Id), detach: true))
            {
            }

            writable.Remove(container.Id);
        }

        Mounts.UnmountBelow(directories.EmptyDirs(sandbox.Id), detach: true);
        SandboxFiles.Remove(sandbox.Id, volumes: true, directories);
    }

    // What the exit code alone does not tell.
    private ContainerExit Explained(ContainerExit exit, string id) =>
        File.Exists(WhyEvicted(id)) ? exit with { Reason = Evicted, Message = File.ReadAllText(WhyEvicted(id)) }
        : exit is { Code: not 0, Message: null } && cgroups.RefusedProcesses(directories.Cgroup(id)) is > 0 and var refused
            ? exit with { Message = string.Create(CultureInfo.InvariantCulture, $"it was refused {refused} {(refused == 1 ? "process" : "processes")} by limits.pids") }
        : exit;

    // Nothing runs in it. What the runs wrote to their roots goes too: their exits are recorded.
    private async Task EmptyEvictedAsync(SandboxRecord sandbox, CancellationToken ct)
    {
        if (!File.Exists(EvictionOf(sandbox.Id)))
        {
            return;
        }

        await evicting.WaitAsync(ct);
        try
        {
            foreach (var container in records.Containers.Where(container => container.SandboxId == sandbox.Id && !container.Retired).ToList())
            {
                await ReleaseAsync(container, ct);
            }

            await volumes.RemoveAsync(sandbox.Id, emptyDirs: true, ct);
            SandboxFiles.Remove(sandbox.Id, volumes: true, directories);
            File.Delete(EvictionOf(sandbox.Id));
        }
        finally
        {
            evicting.Release();
        }
    }

    private string EvictionOf(string sandboxId) => Path.Combine(directories.Evictions, sandboxId);

    private string WhyEvicted(string id) => Path.Combine(directories.Bundle(id), "evicted");

    [LoggerMessage(Level = LogLevel.Error, Message = "Workload {Workload} is evicted: {Why}")]
    private partial void LogEvicting(string workload, string why);
}
