using System.Text.Json;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.State;
using EdgeVirt.Node.VirtualMachines.Consoles;
using EdgeVirt.Node.VirtualMachines.Devices;
using EdgeVirt.Node.VirtualMachines.Qemu;
using EdgeVirt.Node.VirtualMachines.Qmp;
using EdgeVirt.Node.VirtualMachines.Snapshots;

namespace EdgeVirt.Node.VirtualMachines;

/// <summary>The steps from what is to what is to be, and what is told of it.</summary>
internal sealed partial class VmOwner
{
    private const int MostGroupLooks = 50;
    private static readonly TimeSpan GroupLook = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan DevicePeriod = TimeSpan.FromSeconds(2);

    private VirtualMachineInstanceStatus? reported;
    private AccelerationResult? acceleration;
    private bool buttonPressed;
    private int groupLooks;

    /// <summary>What an earlier run of the agent told.</summary>
    public void Adopt(ObservedVirtualMachine observed) => (reported, guestCards) = (observed.Status, observed.Status.Interfaces);

    // False: nothing is left to do now.
    private async Task<bool> StepAsync(CancellationToken ct)
    {
        var now = tools.Time.GetUtcNow();
        if (record is not null && (Order is null || Order.Machine.Uid != record.Uid))
        {
            RefuseRequests("it is being removed from this node");
            return await StopAsync(TimeSpan.FromSeconds(record.Run?.GraceSeconds ?? 0), now, ct) || await RemoveAsync();
        }

        if (Order is not { } order)
        {
            return false;
        }

        if (record is { Run: not null, Saved: not null })
        {
            return await EndSavedAsync(ct);
        }

        if (NodeGoesDown)
        {
            return await LeaveAsync(order, now, ct);
        }

        if (await TendSnapshotsAsync(order, now, ct) is { } acts)
        {
            return acts;
        }

        if (record?.Run is null)
        {
            if (order.Power == VirtualMachinePower.Stopped)
            {
                ForgetSaved("it was switched off");
            }

            return order.Power != VirtualMachinePower.Stopped && await StartAsync(order, now, ct);
        }

        DueBy(now + Look);
        if (order.Power == VirtualMachinePower.Stopped || record.StopAsked is not null)
        {
            return await StopAsync(TimeSpan.FromSeconds(GraceOf(order)), now, ct);
        }

        if (guestState == "watchdog" && order.Machine.Spec.Watchdog?.Action == VirtualWatchdogAction.Poweroff)
        {
            // By signal, so that what the guest has written is on its disks.
            await process!.TerminateAsync(ct);
            await EndedAsync(VmExits.Unfed(now));
            return true;
        }

        if (record.Pluggable.Count > 0 && guestState is "running" or "paused")
        {
            await TendDevicesAsync(ct);
        }

        await GrowDisksAsync(order, now, ct);
        await SetClockAsync(ct);
        await AskGuestAsync(ct);
        return await SteerAsync(order, ct);
    }

    // Guest stands or runs, as asked.
    private async Task<bool> SteerAsync(VmOrder order, CancellationToken ct)
    {
        var command = (order.Power, guestState) switch
        {
            (VirtualMachinePower.Paused, "running") => "stop",
            // Goes on, and stands still as asked in the next step.
            (VirtualMachinePower.Paused, "watchdog") => "cont",
            (VirtualMachinePower.Running, "paused" or "prelaunch") => "cont",
            // Looked at every few seconds: room may have been made.
            (VirtualMachinePower.Running, "io-error") when retryAt is null || retryAt <= tools.Time.GetUtcNow() => "cont",
            _ => null,
        };
        if (command is null)
        {
            return false;
        }

        retryAt = guestState == "io-error" ? tools.Time.GetUtcNow() + retries.Next() : null;
        if (!await CommandAsync(command, ct))
        {
            return false;
        }

        if (command == "cont" && guestState != "prelaunch")
        {
            ExpectClockBehind();
        }

        return guestState != "io-error";
    }

    private async Task<bool> StartAsync(VmOrder order, DateTimeOffset now, CancellationToken ct)
    {
        if (problemGeneration != order.Machine.Generation)
        {
            (problem, retryAt) = (null, null);
            retries.Reset();
        }

        if (record?.LastExit is { } exit && !VmExits.Restarts(order.Machine.Spec.RestartPolicy, exit))
        {
            problemGeneration = order.Machine.Generation;
            problem = new VmProblem(exit.Code == 0 ? ReadyReasons.Completed : ReadyReasons.Failed, exit.Message ?? "it ended, and is not to be started again");
            return false;
        }

        var due = new[] { retryAt, record is null ? null : VmExits.DueAfter(record, now) }.Max();
        if (due > now)
        {
            Due = due;
            problem ??= record?.LastExit is { } last ? new VmProblem(ReadyReasons.Restarting, $"it ended ({last.Reason}): {last.Message}") : null;
            problemGeneration = order.Machine.Generation;
            return false;
        }

        try
        {
            record ??= tools.Records.Ensure(name, order.Machine.Uid);
            var cards = await tools.Network.PlanAsync(order.Machine.Spec, order.Document.Node, record, ct);
            if (!cards.SequenceEqual(record.Cards))
            {
                record = tools.Records.Put(record with { Cards = cards });
            }

            var devices = tools.Devices.Find(order.Machine.Spec, record);
            acceleration = await tools.Preparation.FindAccelerationAsync(ct);
            var guest = await tools.Preparation.PrepareAsync(order.Machine, record, order.Document, new VmSurroundings(TakenByOthers(), CloneAsync), ct);
            await LaunchAsync(guest with { HostDevices = devices }, order, ct);
            // QEMU has read them.
            GuestTexts.Remove(VmPaths.Of(tools.Options, record!.Id));
            (problem, retryAt) = (null, null);
            retries.Reset();
            return true;
        }
        catch (Exception e) when (VmProblem.Of(e) is not null)
        {
            if (record is not null)
            {
                var paths = VmPaths.Of(tools.Options, record.Id);
                GuestTexts.Remove(paths);
                record = tools.Devices.Release(record, paths);
            }

            problem = VmProblem.Of(e)!;
            if (record is not null)
            {
                tools.Cpus.Release(record.Id);
            }

            problemGeneration = order.Machine.Generation;
            // A device may be plugged in at any moment: it is looked for again soon.
            Due = retryAt = now + (problem.Reason == ReadyReasons.DeviceMissing ? DevicePeriod : retries.Next());
            LogProblem(tools.Log, name, problem.Reason, problem.Message);
            return false;
        }
    }

    /// <summary>Reads a disk of another machine; set by the reconciler.</summary>
    public required Func<DiskCloneSource, CancellationToken, Task<SnapshotReading>> CloneAsync { get; init; }

    /// <summary>Memory that other machines take; set by the reconciler.</summary>
    public Func<long> TakenByOthers { get; set; } = () => 0;

    // Asks the guest, waits, then ends QEMU. False: nothing runs.
    private async Task<bool> StopAsync(TimeSpan grace, DateTimeOffset now, CancellationToken ct)
    {
        if (record?.Run is null || process is null)
        {
            return false;
        }

        if (record.StopAsked is not { } asked)
        {
            record = tools.Records.Put(record with { StopAsked = now });
            // A guest that stands still hears nothing.
            if (guestState is "paused" or "prelaunch")
            {
                await CommandAsync("cont", ct);
            }

            // Its own agent ends also a guest that does not listen to its power button.
            buttonPressed = watch is null || !await GuestOf(watch.Monitor).TryShutDownAsync(ct);
            if (buttonPressed)
            {
                await CommandAsync("system_powerdown", ct);
            }

            asked = now;
        }
        else if (!buttonPressed && now - asked >= grace / 2)
        {
            // Its agent said yes, or nothing, and did not do it.
            buttonPressed = true;
            await CommandAsync("system_powerdown", ct);
        }

        if (now - asked >= grace)
        {
            if (process.IsAlive)
            {
                await process.TerminateAsync(ct);
            }

            return true;
        }

        Due = asked + (buttonPressed ? grace : grace / 2);
        // QEMU's end wakes the owner by its monitor; while it is passed over here, nothing runs any more only after that.
        return false;
    }

    private async Task<bool> RemoveAsync()
    {
        if (record is not { Run: null } off)
        {
            return false;
        }

        // Who removes its last trace is the last one who knows of the group.
        if (!tools.Cgroups.Remove(tools.CgroupOf(off)) && ++groupLooks < MostGroupLooks)
        {
            await VmProcess.RemoveLeftoversAsync(tools.CgroupOf(off), tools.Cgroups, tools.Time, CancellationToken.None);
            DueBy(tools.Time.GetUtcNow() + GroupLook);
            return false;
        }

        groupLooks = 0;
        var paths = VmPaths.Of(tools.Options, off.Id);
        // After a boot not even its directory is there.
        if (File.Exists(paths.Seed))
        {
            File.Delete(paths.Seed);
        }

        if (Directory.Exists(paths.RunDirectory))
        {
            Directory.Delete(paths.RunDirectory, recursive: true);
        }

        GuestTexts.Remove(paths);
        ConsoleSpool.Remove(paths);
        tools.Network.Release(off);
        tools.Records.Remove(off);
        record = null;
        snapshots = null;
        (problem, retryAt, adopted) = (null, null, true);
        if (Order is null)
        {
            await tools.Store.RemoveObservedMachineAsync(name, CancellationToken.None);
            reported = null;
        }

        return Order is not null;
    }

    // False: QEMU refused it, or is gone.
    private async Task<bool> CommandAsync(string command, CancellationToken ct)
    {
        if (watch is null)
        {
            return false;
        }

        try
        {
            await watch.Monitor.ExecuteAsync(command, ct: ct);
            return true;
        }
        catch (Exception e) when (e is QmpException or QmpCommandException)
        {
            LogProblem(tools.Log, name, command, e.Message);
            return false;
        }
    }

    private async Task ReportAsync(CancellationToken ct)
    {
        if (Order is not { } order)
        {
            if (record is null && reported is not null)
            {
                await tools.Store.RemoveObservedMachineAsync(name, ct);
                reported = null;
            }

            return;
        }

        var told = problemGeneration == order.Machine.Generation && record?.Run is null ? problem : null;
        var has = Has();
        var view = new VmView(record, guestState, watch?.Seen, told) { Disks = DiskConditions(order), Interfaces = guestCards };
        var status = VmReport.Make(order.Power, order.Machine.Generation, view, acceleration, reported, tools.Time.GetUtcNow()) with
        {
            Node = order.Document.Node, MemoryBytes = has.MemoryBytes, Cpus = has.Cpus,
        };
        if (reported is null || !BytesOf(status).AsSpan().SequenceEqual(BytesOf(reported)))
        {
            await tools.Store.WriteObservedAsync(new ObservedVirtualMachine(name, order.Machine.Uid, status), ct);
            reported = status;
        }
    }

    private static int GraceOf(VmOrder order) => order.Machine.Spec.TerminationGracePeriodSeconds ?? DefaultGraceSeconds;

    private static byte[] BytesOf(VirtualMachineInstanceStatus status) => JsonSerializer.SerializeToUtf8Bytes(status, ContractsJson.Default.VirtualMachineInstanceStatus);
}
