using System.Globalization;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.VirtualMachines.Disks;
using EdgeVirt.Node.VirtualMachines.Qemu;
using EdgeVirt.Node.VirtualMachines.Qmp;
using EdgeVirt.Node.VirtualMachines.Snapshots;

namespace EdgeVirt.Node.VirtualMachines;

/// <summary>Disks that grow while their guest runs, and what is told of disks and snapshots.</summary>
internal sealed partial class VmOwner
{
    private static readonly TimeSpan RetryGrowth = TimeSpan.FromMinutes(1);

    private (string Reason, string Message)? sizeProblem;
    private DateTimeOffset? growNotBefore;
    private long grownFor;

    // A disk that is new in the spec comes with the next start; so does one whose snapshot is being made sense of.
    private async Task GrowDisksAsync(VmOrder order, DateTimeOffset now, CancellationToken ct)
    {
        if (guestState is null || watch?.Monitor is not { } monitor || snapshots is null || (growNotBefore > now && grownFor == order.Machine.Generation))
        {
            return;
        }

        (grownFor, growNotBefore, sizeProblem) = (order.Machine.Generation, null, null);
        var paths = VmPaths.Of(tools.Options, record!.Id);
        foreach (var disk in order.Machine.Spec.Disks ?? [])
        {
            try
            {
                if (disk is { ReadOnly: false, Size: { } size } && MachineDisks.Find(paths, disk.Name) is { } known)
                {
                    await GrowAsync(paths, known, MachineDisks.Rounded((long)size.Value), monitor, ct);
                }
            }
            catch (Exception e) when (e is QmpCommandException or QmpException or DiskRefusedException or DiskUnavailableException or IOException)
            {
                growNotBefore = now + RetryGrowth;
                sizeProblem = (DisksSizedReasons.CannotGrow, $"disk {disk.Name} could not grow: {e.Message}");
                LogProblem(tools.Log, name, sizeProblem.Value.Reason, sizeProblem.Value.Message);
                return;
            }
        }
    }

    private async Task GrowAsync(VmPaths paths, DiskRecord known, long bytes, QmpClient monitor, CancellationToken ct)
    {
        if (bytes < known.VirtualBytes)
        {
            sizeProblem = (DisksSizedReasons.CannotShrink, string.Create(
                CultureInfo.InvariantCulture, $"disk {known.Name} has {known.VirtualBytes} bytes and keeps them: a disk never shrinks, since what is at its end would be lost; set its size to at least that, or leave it out"));
            return;
        }

        var node = DiskNodes.Of(known.Name, snapshots!.State.ChainOf(known.Name)?.Top ?? 0);
        if (bytes == known.VirtualBytes || !(await LiveDisks.TopsAsync(monitor, ct)).Contains(node))
        {
            return;
        }

        tools.Snapshots.Disks.CheckFits(bytes);
        await LiveDisks.GrowAsync(monitor, node, bytes, ct);
        // Should the agent end before this, it is told QEMU once more, which then changes nothing.
        MachineDisks.Grown(paths, known, bytes);
    }

    private List<Condition> DiskConditions(VmOrder order)
    {
        List<Condition> conditions = [];
        if (snapshotProblem is { } missed)
        {
            conditions.Add(new Condition { Type = ConditionTypes.SnapshotsTaken, Status = ConditionStatus.False, Reason = missed.Reason, Message = missed.Message });
        }
        else if (order.Machine.Spec.Snapshots is not null && snapshots?.State.LastScheduled is { } last)
        {
            conditions.Add(new Condition
            {
                Type = ConditionTypes.SnapshotsTaken,
                Status = ConditionStatus.True,
                Reason = SnapshotsTakenReasons.Taken,
                Message = string.Create(CultureInfo.InvariantCulture, $"the newest is of {last:u}"),
            });
        }

        if (sizeProblem is { } size)
        {
            conditions.Add(new Condition { Type = ConditionTypes.DisksSized, Status = ConditionStatus.False, Reason = size.Reason, Message = size.Message });
        }

        return conditions;
    }

    // The earlier of what is due already and this.
    private void DueBy(DateTimeOffset at) => Due = Due is { } due && due < at ? due : at;
}
