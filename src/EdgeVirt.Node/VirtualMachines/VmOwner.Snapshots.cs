using System.Collections.Concurrent;
using System.Globalization;
using EdgeVirt.Contracts.Api;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.VirtualMachines.Disks;
using EdgeVirt.Node.VirtualMachines.Qemu;
using EdgeVirt.Node.VirtualMachines.Qmp;
using EdgeVirt.Node.VirtualMachines.Snapshots;

namespace EdgeVirt.Node.VirtualMachines;

/// <summary>Snapshots: what people ask for, what the schedule asks for, and what was begun.</summary>
internal sealed partial class VmOwner
{
    private static readonly TimeSpan AgainAfterFault = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan RetrySchedule = TimeSpan.FromMinutes(5);

    private readonly ConcurrentQueue<SnapshotRequest> requests = new();
    private readonly long since = tools.Time.GetTimestamp();
    private VmSnapshots? snapshots;
    private TaskCompletionSource<string?>? restoring;
    private long? scheduledAt;
    private DateTimeOffset? scheduleNotBefore;
    private (string Reason, string Message)? snapshotProblem;

    /// <summary>Has something done with the machine's snapshots in its next pass; see <see cref="VirtualMachineReconciler.Ask"/>.</summary>
    /// <param name="act">Is given the monitor of the QEMU that runs, null where none does.</param>
    /// <exception cref="SnapshotRefusedException">The machine is not there or goes.</exception>
    public async Task<T> RequestAsync<T>(Func<VmSnapshots, QmpClient?, CancellationToken, Task<T>> act)
    {
        var done = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        requests.Enqueue(new SnapshotRequest(async (all, monitor, ct) => done.TrySetResult(await act(all, monitor, ct)), fault => done.TrySetException(fault)));
        return await done.Task;
    }

    /// <summary>Takes a snapshot in its next pass.</summary>
    public Task<LocalSnapshot> SnapshotAsync(string snapshot) =>
        RequestAsync(async (all, monitor, ct) => all.Describe(await all.CreateAsync(snapshot, isScheduled: false, monitor, monitor is null ? null : GuestOf(monitor).FreezeAsync, ct)));

    /// <summary>Has the machine go back to a snapshot: it is ended if it runs, and started again afterwards. Returns once its disks are those of the snapshot.</summary>
    /// <exception cref="SnapshotRefusedException">It did not; its disks are as they were.</exception>
    public async Task RestoreAsync(string snapshot, bool keepPresent)
    {
        var restored = await RequestAsync((all, _, _) =>
        {
            all.BeginRestore(snapshot, keepPresent);
            restoring ??= new TaskCompletionSource<string?>(TaskCreationOptions.RunContinuationsAsynchronously);
            return Task.FromResult(restoring.Task);
        });
        if (await restored is { } problem)
        {
            throw new SnapshotRefusedException($"{problem}; the disks are as they were");
        }
    }

    // Null: the machine's other steps go on.
    private async Task<bool?> TendSnapshotsAsync(VmOrder order, DateTimeOffset now, CancellationToken ct)
    {
        if (record is null)
        {
            RefuseRequests("it was never started on this node, so it has no disks yet");
            return null;
        }

        var monitor = guestState is null ? null : watch?.Monitor;
        if (record.Run is not null && monitor is null)
        {
            return null;
        }

        try
        {
            snapshots ??= new VmSnapshots(VmPaths.Of(tools.Options, record.Id), new Unprivileged(record.User), tools.Snapshots);
            await snapshots.SettleAsync(monitor, monitor is null ? null : GuestOf(monitor).ThawAsync, ct);
            await ServeAsync(monitor, ct);
            if (snapshots.State.Restore is not null)
            {
                return await RestoreAsync(order, now, ct);
            }

            await FollowScheduleAsync(order, monitor, now, ct);
            return await snapshots.CompactAsync(monitor, ct) ? true : null;
        }
        catch (QmpException e)
        {
            // QEMU is asked again, and what it did is found out.
            LogProblem(tools.Log, name, SnapshotsTakenReasons.NotTaken, e.Message);
            Due = now + AgainAfterFault;
            return false;
        }
        catch (DiskUnavailableException e)
        {
            RefuseRequests(e.Message);
            LogProblem(tools.Log, name, ReadyReasons.DiskUnavailable, e.Message);
            return null;
        }
    }

    private async Task ServeAsync(QmpClient? monitor, CancellationToken ct)
    {
        while (requests.TryDequeue(out var request))
        {
            try
            {
                await request.Act(snapshots!, monitor, ct);
            }
            catch (Exception e) when (e is SnapshotRefusedException or DiskUnavailableException or IOException)
            {
                request.Fail(e);
                if (e is QmpException)
                {
                    throw;
                }
            }
            catch (OperationCanceledException e)
            {
                request.Fail(new SnapshotRefusedException("the agent ends; look at the list of snapshots when it is back", inner: e));
                throw;
            }
        }
    }

    private async Task<bool> RestoreAsync(VmOrder order, DateTimeOffset now, CancellationToken ct)
    {
        if (record!.Run is not null)
        {
            return await StopAsync(TimeSpan.FromSeconds(GraceOf(order)), now, ct);
        }

        var problem = await snapshots!.RestoreAsync(ct);
        snapshotProblem = problem is null ? null : (SnapshotsTakenReasons.NotRestored, problem);
        restoring?.TrySetResult(problem);
        restoring = null;
        return true;
    }

    private async Task FollowScheduleAsync(VmOrder order, QmpClient? monitor, DateTimeOffset now, CancellationToken ct)
    {
        if (order.Machine.Spec.Snapshots is not { } schedule)
        {
            return;
        }

        // What does not run does not change.
        if (monitor is not null && (scheduleNotBefore is null || scheduleNotBefore <= now))
        {
            var interval = TimeSpan.FromSeconds(schedule.IntervalSeconds);
            var counted = scheduledAt is { } at ? tools.Time.GetElapsedTime(at) : (TimeSpan?)null;
            if (SnapshotSchedule.Wait(interval, snapshots!.State.LastScheduled, now, tools.Time.GetElapsedTime(since), counted) == TimeSpan.Zero)
            {
                await TakeScheduledAsync(monitor, now, ct);
            }
        }

        foreach (var expired in SnapshotTree.Expired(snapshots!.State, schedule.Keep).ToList())
        {
            snapshots.Delete(expired);
        }
    }

    private async Task TakeScheduledAsync(QmpClient monitor, DateTimeOffset now, CancellationToken ct)
    {
        // Its age is counted from the moment that it shows, however long it takes.
        var began = tools.Time.GetTimestamp();
        try
        {
            var called = snapshots!.FreeName("auto-" + now.ToString("yyyyMMdd-HHmmss", CultureInfo.InvariantCulture));
            await snapshots.CreateAsync(called, isScheduled: true, monitor, GuestOf(monitor).FreezeAsync, ct);
            scheduledAt = began;
            (scheduleNotBefore, snapshotProblem) = (null, null);
        }
        catch (Exception e) when (e is SnapshotRefusedException or DiskUnavailableException)
        {
            scheduleNotBefore = now + RetrySchedule;
            snapshotProblem = (SnapshotsTakenReasons.NotTaken, e.Message);
            LogProblem(tools.Log, name, SnapshotsTakenReasons.NotTaken, e.Message);
        }
    }

    private void RefuseRequests(string why)
    {
        while (requests.TryDequeue(out var request))
        {
            request.Fail(new SnapshotRefusedException($"virtual machine '{name}': {why}"));
        }
    }

    private sealed record SnapshotRequest(Func<VmSnapshots, QmpClient?, CancellationToken, Task> Act, Action<Exception> Fail);
}
