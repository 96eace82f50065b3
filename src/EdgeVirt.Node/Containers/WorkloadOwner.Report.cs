using System.Text.Json;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.Containers.Sets;
using EdgeVirt.Node.State;

namespace EdgeVirt.Node.Containers;

/// <summary>What an owner says: to its set, and to the hub.</summary>
internal sealed partial class WorkloadOwner
{
    private WorkloadInstanceStatus? reported;
    private string? reportedHash;
    private byte[] reportedBytes = [];

    public void Adopt(ObservedWorkload observed)
    {
        reported = observed.Status;
        reportedBytes = BytesOf(observed.Status);
    }

    private MemberState StateOf(WorkloadSet set)
    {
        var known = set.TargetsOf(name);
        var ready = reported?.Conditions.FirstOrDefault(condition => condition.Type == ConditionTypes.Ready);
        var isReported = instance.Hash is not null && reportedHash == instance.Hash;
        var health = !isReported || ready is null ? MemberHealth.Waiting
            : ready.Status == ConditionStatus.True || ready.Reason == ReadyReasons.Completed ? MemberHealth.Ready
            : ready.Reason == ReadyReasons.Failed ? MemberHealth.Failed
            : MemberHealth.Waiting;
        var complaint = known.Select(staging.ComplaintOf).FirstOrDefault(said => said is not null) ?? held?.Message ?? successorReady?.Message ?? (health == MemberHealth.Ready || !isReported ? null : ready?.Message);
        return new MemberState(instance.Hash, health, [.. known.Where(target => staging.Find(target) is not null).Select(target => target.Hash)], instance.Images)
        {
            Complaint = complaint,
        };
    }

    private async Task ReportAsync(MemberOrder order, Role role, CancellationToken ct)
    {
        var (now, view, target) = (tools.Time.GetUtcNow(), role.Instance.View(), role.Target);
        if (order.Remove && Instances.All(one => one.IsEmpty))
        {
            if (reported is not null)
            {
                await tools.Store.RemoveObservedAsync(name, ct);
                reported = null;
            }

            TellProgress(null);
            return;
        }

        var shown = target ?? (order.Remove ? null : order.Wanted);
        var told = shown is null ? null
            : problemTarget == shown ? problem
            : shown == target && !NeedsStart(shown, now) ? (heldTarget == shown ? held : null)
            : staging.ProblemOf(shown) ?? (heldTarget == shown ? held : null) ?? WaitingFor(order);
        var status = WorkloadReport.Make(shown, view, told, tools.Runtime, reported, now);
        if (ProgressOf(order) is { } progress)
        {
            status = status with { Conditions = [.. status.Conditions, WorkloadReport.Dated(progress, reported, now)] };
        }

        reportedHash = shown is not null && !WorkloadPlan.Replaces(shown, view) ? shown.Hash : null;
        var bytes = BytesOf(status);
        if (!bytes.AsSpan().SequenceEqual(reportedBytes))
        {
            await tools.Store.WriteObservedAsync(new ObservedWorkload(name, shown?.Workload.Uid ?? Instances.First(one => !one.IsEmpty).Uid!, status), ct);
            reported = status;
            reportedBytes = bytes;
        }

        TellProgress(order, role, view, status);
    }

    private static WorkloadProblem? WaitingFor(MemberOrder order) =>
        order.Progress.Message is { } message ? new(ReadyReasons.Pending, message) : null;

    // The first version of all has nothing to be told beside Ready.
    private Condition? ProgressOf(MemberOrder order) => order.Progress.Reason is not { } reason || (order.Before is null && instance.IsEmpty)
        ? null
        : new Condition
        {
            Type = ConditionTypes.Progressing,
            Status = reason is ProgressingReasons.RolledBack or ProgressingReasons.StagingFailed ? ConditionStatus.False : ConditionStatus.True,
            Reason = reason,
            Message = order.Progress.Message,
        };

    private static byte[] BytesOf(WorkloadInstanceStatus status) =>
        JsonSerializer.SerializeToUtf8Bytes(status, ContractsJson.Default.WorkloadInstanceStatus);
}
