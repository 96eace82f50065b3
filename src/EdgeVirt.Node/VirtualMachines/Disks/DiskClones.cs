using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.VirtualMachines.Snapshots;

namespace EdgeVirt.Node.VirtualMachines.Disks;

/// <summary>Disks that begin as a copy of another machine's disk on the same node.</summary>
/// <param name="machines">Has the other machine.</param>
/// <param name="tools">Know what is on disk of it.</param>
internal sealed class DiskClones(VirtualMachineReconciler machines, VmTools tools)
{
    // The other machine may be getting ready, or wait for a disk of this one.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    /// <summary>The other machine's disk as one of its snapshots has it, or as it is now.</summary>
    /// <exception cref="VmNotReadyException">There is no such machine, snapshot or disk on this node, or it does not answer in time.</exception>
    public async Task<SnapshotReading> OpenAsync(DiskCloneSource source, CancellationToken ct)
    {
        // One that has no disk yet is not asked: two that wait for each other's would do so for good.
        if (tools.Records.All.FirstOrDefault(record => record.Name == source.Machine) is not { } record
            || MachineDisks.Find(VmPaths.Of(tools.Options, record.Id), source.Disk) is null)
        {
            throw NotThere($"virtual machine '{source.Machine}' has no disk '{source.Disk}' on this node; place both on the same node, and start that one first");
        }

        try
        {
            return source.Snapshot is { } snapshot ? await ReadAsync(source, snapshot, ct) : await ReadNowAsync(source, ct);
        }
        catch (SnapshotRefusedException e)
        {
            throw NotThere($"disk '{source.Disk}' of virtual machine '{source.Machine}' cannot be copied: {e.Message}");
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            throw NotThere($"virtual machine '{source.Machine}' is getting ready itself; its disk '{source.Disk}' is copied after that");
        }
    }

    // By a snapshot that nobody needs once its files are held.
    private async Task<SnapshotReading> ReadNowAsync(DiskCloneSource source, CancellationToken ct)
    {
        var snapshot = $"clone-{Guid.NewGuid():N}"[..20];
        await AskAsync(source.Machine, owner => owner.SnapshotAsync(snapshot), ct);
        try
        {
            return await ReadAsync(source, snapshot, ct);
        }
        finally
        {
            await AskAsync(source.Machine, owner => owner.RequestAsync((all, _, _) => { all.Delete(snapshot); return Task.FromResult(true); }), CancellationToken.None);
        }
    }

    private Task<SnapshotReading> ReadAsync(DiskCloneSource source, string snapshot, CancellationToken ct) =>
        AskAsync(source.Machine, owner => owner.RequestAsync((all, monitor, stop) => all.ReadAsync(snapshot, source.Disk, monitor, stop)), ct);

    private async Task<T> AskAsync<T>(string machine, Func<VmOwner, Task<T>> ask, CancellationToken ct)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
        limit.CancelAfter(Patience);
        return await machines.AskAsync(machine, ask, limit.Token);
    }

    private static VmNotReadyException NotThere(string what) => new(new VmProblem(ReadyReasons.ReferenceMissing, what));
}
