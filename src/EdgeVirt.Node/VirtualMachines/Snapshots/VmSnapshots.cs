using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.VirtualMachines.Disks;
using EdgeVirt.Node.VirtualMachines.Qemu;
using EdgeVirt.Node.VirtualMachines.Qmp;
using Microsoft.Extensions.Logging;

namespace EdgeVirt.Node.VirtualMachines.Snapshots;

/// <summary>What the snapshots of all machines share.</summary>
internal sealed record SnapshotTools(MachineDisks Disks, TimeProvider Time, ILogger Log);

/// <summary>Brings the guest's file systems to rest. Disposing of what it returns has them go on; null: there is nobody in the guest who does that.</summary>
internal delegate Task<IAsyncDisposable?> Freeze(CancellationToken ct);

/// <summary>
/// The snapshots of one machine. Used by its owner alone, one call at a time; a null monitor says that the machine is off. Whatever is begun
/// is written down first, and what an agent that was killed left is completed or undone by <see cref="SettleAsync"/>.
/// </summary>
internal sealed partial class VmSnapshots(VmPaths paths, Unprivileged user, SnapshotTools tools)
{
    /// <summary>Most that a machine has. Each is one more file that QEMU looks through.</summary>
    public const int Most = 64;

    // What a new layer takes at once, and the guest writes in the time that it takes to see that the disk is full.
    private const long LeastRoom = 16 << 20;

    private SnapshotState? state;
    private bool swept;

    public SnapshotState State => state ??= SnapshotStore.Read(paths);

    /// <summary>Completes or undoes what was begun, and removes what is left of it.</summary>
    /// <param name="monitor">Of the QEMU that runs.</param>
    /// <param name="thaw">Has the guest's file systems go on, if they do not; null: there is nobody in the guest who does that.</param>
    /// <param name="ct">Gives up.</param>
    /// <exception cref="Exception">Of the monitor or the disk: it is tried again.</exception>
    public async Task SettleAsync(QmpClient? monitor, Func<CancellationToken, Task>? thaw, CancellationToken ct)
    {
        if (SnapshotTree.Unsettled(State) is { } begun)
        {
            if (thaw is not null)
            {
                // An agent that was killed may have left the guest at rest.
                await thaw(ct);
            }

            // With QEMU gone both answers are the same disks: a layer that it never wrote to is empty.
            var isDone = begun.Phase == SnapshotPhase.Switching && (monitor is null || (await LiveDisks.TopsAsync(monitor, ct)).Contains(NewNode(begun.Disks[0])));
            if (isDone)
            {
                Put(SnapshotTree.Taken(State, begun));
            }
            else
            {
                await UndoAsync(begun, monitor, ct);
            }

            LogSettled(tools.Log, begun.Name, isDone ? "completed" : "undone");
        }

        if (monitor is null && State.Merge is not null)
        {
            Put(State with { Merge = null });
        }

        if (!swept)
        {
            await SweepAsync(monitor, ct);
            swept = true;
        }
    }

    /// <summary>Takes a snapshot of all disks at one moment.</summary>
    /// <param name="name">A DNS label that no other has.</param>
    /// <param name="isScheduled">Whether the schedule may remove it.</param>
    /// <param name="monitor">Of the QEMU that runs.</param>
    /// <param name="freeze">Brings the guest to rest for that moment; null: nobody is asked.</param>
    /// <param name="ct">Gives up; it is settled later.</param>
    /// <exception cref="SnapshotRefusedException">It is not to be, or QEMU refused; nothing has changed.</exception>
    /// <exception cref="DiskUnavailableException">There is no room, or the disk failed; nothing has changed.</exception>
    /// <exception cref="QmpException">QEMU did not answer; <see cref="SettleAsync"/> finds out what it did.</exception>
    public async Task<VmSnapshot> CreateAsync(string name, bool isScheduled, QmpClient? monitor, Freeze? freeze, CancellationToken ct)
    {
        CheckNew(name);
        var tops = monitor is null ? null : await LiveDisks.TopsAsync(monitor, ct);
        var disks = MachineDisks.All(paths).Where(disk => tops is null || tops.Contains(DiskNodes.Of(disk.Name, State.ChainOf(disk.Name)?.Top ?? 0))).ToList();
        if (disks.Count == 0)
        {
            throw new SnapshotRefusedException("the machine has no disk that it writes to, so there is nothing to take a snapshot of");
        }

        tools.Disks.CheckRoom(LeastRoom * disks.Count);
        await EndMergeAsync(monitor, ct);
        var now = tools.Time.GetUtcNow();
        var begun = new VmSnapshot { Name = name, CreatedAt = now, Phase = SnapshotPhase.Making, IsScheduled = isScheduled, Disks = [] };
        Put(SnapshotTree.Begun(State, begun, disks) with { LastScheduled = isScheduled ? now : State.LastScheduled });
        begun = State.Find(name)!;
        try
        {
            foreach (var disk in begun.Disks)
            {
                await MakeAboveAsync(disk, ct);
                if (monitor is not null)
                {
                    await LiveDisks.OpenAsync(monitor, NewNode(disk), paths.Layer(disk.Disk, NewLayer(disk)), disks.First(one => one.Name == disk.Disk).Policy ?? DiskPolicy.Default, ct);
                }
            }

            if (monitor is not null)
            {
                begun = await SwitchAsync(begun, monitor, freeze, ct);
            }

            Put(SnapshotTree.Taken(State, begun));
            LogTaken(tools.Log, name, begun.FsFrozen);
            return State.Find(name)!;
        }
        catch (Exception e) when (e is QmpCommandException or DiskUnavailableException or (IOException and not QmpException))
        {
            await UndoAsync(begun, monitor, ct);
            throw e is DiskUnavailableException ? e : new SnapshotRefusedException($"no snapshot was taken: {e.Message}", inner: e);
        }
    }

    /// <summary>Has the machine go back to a snapshot once it is off: see <see cref="RestoreAsync"/>.</summary>
    /// <exception cref="SnapshotRefusedException">There is no such snapshot.</exception>
    public void BeginRestore(string name, bool keepPresent)
    {
        Find(name);
        if (keepPresent && State.Snapshots.Count >= Most)
        {
            throw new SnapshotRefusedException($"the machine has {Most} snapshots, so its present state cannot be kept as another; delete one, or ask not to keep it");
        }

        Put(State with { Restore = new SnapshotRestore(name, keepPresent ? FreeName("before-restore") : null) });
    }

    /// <summary>Goes back to the snapshot that is written down. The machine is off.</summary>
    /// <returns>Why it could not; then its disks are as they were. Null: it could.</returns>
    public async Task<string?> RestoreAsync(CancellationToken ct)
    {
        var restore = State.Restore!;
        try
        {
            var snapshot = Find(restore.Snapshot);
            tools.Disks.CheckRoom(LeastRoom * snapshot.Disks.Count);
            foreach (var disk in snapshot.Disks)
            {
                await MakeAboveAsync(disk, ct);
            }

            Put(SnapshotTree.Restored(State, snapshot, MachineDisks.All(paths), tools.Time.GetUtcNow()));
            LogRestored(tools.Log, restore.Snapshot);
            return null;
        }
        catch (Exception e) when (e is DiskUnavailableException or SnapshotRefusedException or IOException)
        {
            Put(State with { Restore = null });
            return e.Message;
        }
    }

    /// <summary>Removes a snapshot. What it takes is given back in the background: see <see cref="CompactAsync"/>.</summary>
    /// <exception cref="SnapshotRefusedException">There is no such snapshot, or it is to be restored.</exception>
    public void Delete(string name)
    {
        Find(name);
        if (State.Restore?.Snapshot == name)
        {
            throw new SnapshotRefusedException($"snapshot '{name}' is being restored; delete it afterwards");
        }

        Put(SnapshotTree.Deleted(State, name));
    }

    /// <summary>A snapshot by its name.</summary>
    /// <exception cref="SnapshotRefusedException">There is none.</exception>
    public VmSnapshot Find(string name) => State.Find(name) is { Phase: SnapshotPhase.Taken } found
        ? found
        : throw new SnapshotRefusedException($"the machine has no snapshot '{name}'; 'edgevirt vm snapshot list' shows those that it has", isMissing: true);

    /// <summary>A name that none has: the given one, or that with a number.</summary>
    public string FreeName(string wanted)
    {
        for (var i = 1; ; i++)
        {
            var name = i == 1 ? wanted : FormattableString.Invariant($"{wanted}-{i}");
            if (State.Find(name) is null)
            {
                return name;
            }
        }
    }

    private async Task<VmSnapshot> SwitchAsync(VmSnapshot begun, QmpClient monitor, Freeze? freeze, CancellationToken ct)
    {
        // Durable before QEMU is told, and with the guest at rest for no longer than that takes.
        await using var frozen = freeze is null ? null : await freeze(ct);
        Put(SnapshotTree.Made(State, begun, frozen is not null));
        await LiveDisks.SwitchAsync(monitor, begun.Disks.Select(disk => (DiskNodes.Of(disk.Disk, disk.Layer), NewNode(disk))), ct);
        return State.Find(begun.Name)!;
    }

    private void CheckNew(string name)
    {
        if (ResourceName.Problem(name) is { } problem)
        {
            throw new SnapshotRefusedException($"'{name}' {problem}");
        }

        if (State.Find(name) is not null)
        {
            throw new SnapshotRefusedException($"the machine has a snapshot '{name}' already; choose another name, or delete that one");
        }

        if (State.Snapshots.Count >= Most)
        {
            throw new SnapshotRefusedException($"the machine has {State.Snapshots.Count} snapshots, which is the most; delete one");
        }

        if (State.Restore is { } restore)
        {
            throw new SnapshotRefusedException($"snapshot '{restore.Snapshot}' is being restored; try again afterwards");
        }
    }

    // The disk never shrinks: a layer over an older one has the size that the disk has now.
    private async Task MakeAboveAsync(SnapshotDisk disk, CancellationToken ct)
    {
        var record = RecordOf(disk.Disk);
        var below = SnapshotTree.FileOf(paths, record, State.ChainOf(disk.Disk), disk.Layer, tools.Disks.BeganFrom(record));
        await SnapshotFiles.MakeAsync(paths.Layer(disk.Disk, NewLayer(disk)), below, record.VirtualBytes, user, ct);
    }

    private async Task UndoAsync(VmSnapshot begun, QmpClient? monitor, CancellationToken ct)
    {
        // Should agent and QEMU both end before it is done, nobody may take its layers for whole.
        Put(SnapshotTree.GivenUp(State, State.Find(begun.Name)!));
        foreach (var disk in begun.Disks)
        {
            if (monitor is not null)
            {
                await LiveDisks.TryCloseAsync(monitor, NewNode(disk), ct);
            }

            File.Delete(paths.Layer(disk.Disk, NewLayer(disk)));
        }

        Put(SnapshotTree.Undone(State, begun));
    }

    private DiskRecord RecordOf(string disk) =>
        MachineDisks.Find(paths, disk) ?? throw new DiskUnavailableException($"what is written down about disk {disk} is gone; put {paths.Disk(disk)}.json back");

    private int NewLayer(SnapshotDisk disk) => State.ChainOf(disk.Disk)!.Next;

    private string NewNode(SnapshotDisk disk) => DiskNodes.Of(disk.Disk, NewLayer(disk));

    private void Put(SnapshotState next) => state = SnapshotStore.Write(paths, next);

    [LoggerMessage(Level = LogLevel.Information, Message = "Snapshot {Name} is taken; file systems frozen: {Frozen}")]
    private static partial void LogTaken(ILogger log, string name, bool frozen);

    [LoggerMessage(Level = LogLevel.Information, Message = "The machine is back at snapshot {Name}")]
    private static partial void LogRestored(ILogger log, string name);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Snapshot {Name}, which an earlier run of the agent began, is {Outcome}")]
    private static partial void LogSettled(ILogger log, string name, string outcome);
}
