using EdgeVirt.Linux;
using EdgeVirt.Node.VirtualMachines.Cpus;
using EdgeVirt.Node.VirtualMachines.Memory;
using EdgeVirt.Node.VirtualMachines.Qemu;
using EdgeVirt.Node.VirtualMachines.Qmp;
using Microsoft.Extensions.Logging;

namespace EdgeVirt.Node.VirtualMachines;

/// <summary>What a machine has of the node's processors and memory while it runs.</summary>
internal sealed partial class VmOwner
{
    private static int saidNoVhost;

    // CpuAssignment.Text of where its threads were put last; null: not known.
    private string? placed;

    // Where its threads are to begin; null: anywhere.
    private CpuAssignment? BeginsOn(VmRecord starting)
    {
        var assignment = tools.Cpus.AssignmentOf(starting.Id);
        placed = assignment?.Text;
        return assignment is null || tools.Cpus.IsAll(assignment) ? null : assignment;
    }

    private VhostCards OpenVhosts(QemuGuest guest)
    {
        var cards = VhostCards.Open(guest, () => VhostNet.Open());
        if (guest is { Acceleration.Kvm: true, Nics.Count: > 0 } && cards.Files.Count == 0 && Interlocked.Exchange(ref saidNoVhost, 1) == 0)
        {
            LogNoVhost(tools.Log);
        }

        return cards;
    }

    // Before its guest runs; one whose threads cannot be put where they belong does not start.
    private async Task PlaceAsync((VmProcess Process, QmpClient Monitor) started, string cgroup, CpuAssignment? assignment, CancellationToken ct)
    {
        if (assignment is null)
        {
            return;
        }

        try
        {
            tools.Cgroups.Confine(started.Process.Identity.Pid, cgroup, assignment.All);
            await CpuThreads.ApplyAsync(started.Process.Identity.Pid, started.Monitor, assignment, ct);
        }
        catch (Exception e)
        {
            await started.Monitor.DisposeAsync();
            await started.Process.KillAsync(CancellationToken.None);
            throw e is IOException ? new VmStartException($"its processors could not be pinned: {e.Message}", e) : e;
        }
    }

    // What others got or let go of changes where it may run; after a restart of the agent nothing is known.
    private async Task FitAsync(CancellationToken ct)
    {
        if (record is not { Run: { } run } running || process is not { IsAlive: true } || watch is null or { IsOver: true })
        {
            return;
        }

        if (run.Balloon is { } terms && terms.MinimumBytes < terms.SizeBytes)
        {
            tools.Balloons.Add(running.Id, terms, watch.Monitor);
        }

        if (tools.Cpus.AssignmentOf(running.Id) is not { } assignment || assignment.Text == placed)
        {
            return;
        }

        try
        {
            tools.Cgroups.Confine(run.Pid, tools.CgroupOf(running), assignment.All);
            await CpuThreads.ApplyAsync(run.Pid, watch.Monitor, assignment, ct);
            placed = assignment.Text;
        }
        catch (Exception e) when (e is IOException)
        {
            LogNotPlaced(tools.Log, name, assignment.All, e.Message);
        }
    }

    private void LetGo(VmRecord ended)
    {
        tools.Cpus.Release(ended.Id);
        tools.Balloons.Remove(ended.Id);
        placed = null;
    }

    private static BalloonTerms BalloonOf(QemuGuest guest) =>
        new((long)guest.Spec.Memory.Size.Value, (long)(guest.Spec.Memory.Minimum ?? guest.Spec.Memory.Size).Value);

    // What is told of it.
    private (long? MemoryBytes, string? Cpus) Has() => record?.Run is not { } run ? default :
        (tools.Balloons.MemoryOf(record.Id) ?? run.Balloon?.SizeBytes,
            run.Cpus is not { } cpus ? null : cpus.IsDedicated ? cpus.List : tools.Cpus.AssignmentOf(record.Id) is { } shared && !tools.Cpus.IsAll(shared) ? shared.All : null);

    [LoggerMessage(Level = LogLevel.Information, Message = "This kernel has no vhost-net (/dev/vhost-net): QEMU itself carries what virtual machines send")]
    private static partial void LogNoVhost(ILogger log);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Virtual machine {Name} cannot be moved to the processors {Cpus} now and is tried again: {Why}")]
    private static partial void LogNotPlaced(ILogger log, string name, string cpus, string why);
}
