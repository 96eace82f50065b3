using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.VirtualMachines.Qemu;

namespace EdgeVirt.Node.VirtualMachines;

/// <summary>A machine as its owner sees it.</summary>
/// <param name="Record">What is written down; null: nothing is there yet.</param>
/// <param name="GuestState">QEMU's word for what the guest does (<c>query-status</c>); null: it does not run or does not answer.</param>
/// <param name="Happened">What QEMU said since it is listened to.</param>
/// <param name="Problem">Why it is not Ready; null: no such thing.</param>
internal sealed record VmView(VmRecord? Record, string? GuestState, VmHappenings? Happened, VmProblem? Problem)
{
    /// <summary>What is to be told of its disks and snapshots.</summary>
    public IReadOnlyList<Condition> Disks { get; init; } = [];

    /// <summary>What the guest's agent told of its network cards; null: it has none.</summary>
    public IReadOnlyList<VirtualInterfaceStatus>? Interfaces { get; init; }
}

/// <summary>What is told to the hub. Pure.</summary>
internal static class VmReport
{
    public static VirtualMachineInstanceStatus Make(
        VirtualMachinePower power, long generation, VmView view, AccelerationResult? acceleration, VirtualMachineInstanceStatus? before, DateTimeOffset now)
    {
        var run = view.Record?.Run;
        List<Condition> conditions = [ReadyOf(power, generation, view), .. view.Disks];
        if (run is not null)
        {
            conditions.Add(!run.IsEmulated
                ? new Condition { Type = ConditionTypes.Accelerated, Status = ConditionStatus.True, Reason = AcceleratedReasons.Accelerated }
                : new Condition
                {
                    Type = ConditionTypes.Accelerated,
                    Status = ConditionStatus.False,
                    Reason = acceleration is { IsKvm: false } ? acceleration.Reason : AcceleratedReasons.KvmUnproven,
                    Message = acceleration is { IsKvm: false } ? acceleration.Message : "it was started without KVM",
                });
        }

        if (run is not null && view.Record!.Pluggable.Count > 0)
        {
            var gone = view.Record.Pluggable.Where(device => view.Record.Devices.All(held => held.Name != device.Name)).Select(device => $"'{device.Name}'").ToList();
            conditions.Add(gone.Count == 0
                ? new Condition { Type = ConditionTypes.DevicesPlugged, Status = ConditionStatus.True, Reason = DevicesPluggedReasons.Plugged }
                : new Condition
                {
                    Type = ConditionTypes.DevicesPlugged, Status = ConditionStatus.False, Reason = DevicesPluggedReasons.Unplugged, Message = $"unplugged from the node: {string.Join(", ", gone)}; plugged in again the guest gets it back",
                });
        }

        return new VirtualMachineInstanceStatus
        {
            // The hub knows which node it is.
            Node = before?.Node ?? "",
            ObservedGeneration = generation,
            Address = view.Record is { Cards: [var first, ..] } ? first.Address : null,
            State = StateOf(power, view),
            RestartCount = view.Record?.Restarts ?? 0,
            StartedAt = run?.StartedAt,
            LastExit = view.Record?.LastExit,
            Interfaces = run is null ? null : view.Interfaces,
            ResetCount = run is null ? 0 : view.Happened?.Resets ?? VmHappenings.Before(before, run).Resets,
            LastReset = view.Happened?.LastReset ?? before?.LastReset,
            Conditions = [.. conditions.Select(condition => Dated(condition, before, now))],
        };
    }

    private static VirtualMachineState StateOf(VirtualMachinePower power, VmView view) => view switch
    {
        { Record: null } or { Record.Run: null } => power == VirtualMachinePower.Stopped || view.Problem?.Reason is ReadyReasons.Completed or ReadyReasons.Failed ? VirtualMachineState.Stopped : VirtualMachineState.Waiting,
        { GuestState: "running" } => VirtualMachineState.Running,
        { GuestState: "paused" or "io-error" or "prelaunch" or "suspended" or "watchdog" } => VirtualMachineState.Paused,
        _ => VirtualMachineState.Waiting,
    };

    private static Condition ReadyOf(VirtualMachinePower power, long generation, VmView view)
    {
        if (view.Problem is { } problem)
        {
            return Ready(ConditionStatus.False, problem.Reason, problem.Message);
        }

        if (view.Record?.Run is not { } run)
        {
            return power == VirtualMachinePower.Stopped
                ? Ready(ConditionStatus.True, ReadyReasons.Stopped, "it is off, as asked")
                : Ready(ConditionStatus.False, ReadyReasons.Starting, null);
        }

        if (view.Record.StopAsked is not null)
        {
            return Ready(ConditionStatus.False, ReadyReasons.Stopping, "its guest was asked to end");
        }

        return view.GuestState switch
        {
            "io-error" => Ready(ConditionStatus.False, ReadyReasons.DiskFailed, $"the guest stands still because a disk failed ({view.Happened?.FailedDisk ?? "which one is not known"}); it is tried again, free space or replace the disk"),
            "watchdog" => Ready(ConditionStatus.False, ReadyReasons.WatchdogExpired, "the guest no longer fed its watchdog and stands still; power: Paused and Running again lets it go on, Stopped and Running starts it anew"),
            "paused" or "prelaunch" when power == VirtualMachinePower.Paused => Ready(ConditionStatus.True, ReadyReasons.Paused, "it stands still, as asked"),
            "running" when power == VirtualMachinePower.Running => Ready(ConditionStatus.True, ReadyReasons.Ready, run.Generation < generation ? "what changed is in force from its next start on" : null),
            _ => Ready(ConditionStatus.False, ReadyReasons.Starting, null),
        };
    }

    private static Condition Ready(ConditionStatus status, string reason, string? message) =>
        new() { Type = ConditionTypes.Ready, Status = status, Reason = reason, Message = message };

    private static Condition Dated(Condition condition, VirtualMachineInstanceStatus? before, DateTimeOffset now) => condition with
    {
        LastTransitionTime = before?.Conditions.FirstOrDefault(old => old.Type == condition.Type && old.Status == condition.Status)?.LastTransitionTime ?? now,
    };
}
