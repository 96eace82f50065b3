using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.Containers.Sets;

namespace EdgeVirt.Node.Containers;

/// <summary>
/// Which of a workload's instances is to be what. There is one, but for hand-overs: then the next version gets ready beside
/// it, takes its ports over, and the one before leaves.
/// </summary>
internal sealed partial class WorkloadOwner
{
    private WorkloadInstance? successor;
    private WorkloadInstance? leaving;
    private Condition? successorReady;

    private List<WorkloadInstance> Instances => [.. new[] { instance, successor, leaving }.OfType<WorkloadInstance>()];

    /// <summary>Once per sandbox, before the containers.</summary>
    public void Adopt(SandboxRecord record)
    {
        var adopted = new WorkloadInstance(name, tools, record.IsAlternate) { Turn = record.Turn, IsSuccessor = record.IsSuccessor };
        adopted.Adopt(record);
        var other = instance.Sandbox is null ? null : instance;
        var (newer, older) = other is null || other.Turn < record.Turn ? (adopted, other) : (other, adopted);
        var isHandedOver = older is null || !newer.Sandbox!.IsSuccessor;
        instance = isHandedOver ? newer : older!;
        successor = isHandedOver ? null : newer;
        leaving = isHandedOver ? older : null;
    }

    /// <summary>Once per run.</summary>
    public void Adopt(ContainerRecord record) =>
        (Instances.FirstOrDefault(one => one.Sandbox?.Id == record.SandboxId) ?? instance).Adopt(record);

    /// <summary>What each instance is to be; the one that serves comes first.</summary>
    private List<Role> Assign(MemberOrder order)
    {
        leaving = leaving is { IsEmpty: true } ? null : leaving;
        var next = HandsOver(order) ? order.Target : null;
        if (successor is { IsEmpty: true } && next is null)
        {
            successor = null;
        }

        List<Role> roles = [next is null ? new(instance, Choose(order)) { Remove = order.Remove } : new(instance, KnownOf(order))];
        if (next is not null)
        {
            successor ??= new WorkloadInstance(name, tools, !instance.IsAlternate) { Turn = instance.Turn + 1, IsSuccessor = true };
            roles.Add(successor.IsEmpty || successor.Hash == next.Hash ? new(successor, next) : new(successor, null) { Remove = true });
        }
        else if (successor is not null)
        {
            roles.Add(new(successor, null) { Remove = true });
        }

        if (leaving is not null)
        {
            roles.Add(new(leaving, null) { Remove = true });
        }

        return roles;
    }

    // Not before all is staged, and one at a time: the one before must have left.
    private bool HandsOver(MemberOrder order) =>
        order.Target is { Workload.Strategy.Type: UpdateStrategyType.HandOver, Template.HostNetwork: false } next &&
        leaving is null && instance.Sandbox is { HostNetwork: false } sandbox && sandbox.Uid == next.Workload.Uid && sandbox.Hash != next.Hash &&
        (staging.Find(next) is not null || successor?.Hash == next.Hash);

    /// <summary>What the instance is to be now: the target once it can begin, until then what runs there, as far as it is known.</summary>
    private WorkloadTarget? Choose(MemberOrder order) =>
        order.Target is { } target && (instance.IsEmpty || !WorkloadPlan.Replaces(target, instance.View()) || (staging.Find(target) is not null && leaving is null && !IsHeld(target, ofOtherSets: true)))
            ? target
            : KnownOf(order);

    private WorkloadTarget? KnownOf(MemberOrder order) => instance.IsEmpty || order.Remove
        ? null
        : new[] { order.Before, order.Proven, order.Wanted }.FirstOrDefault(known => known is not null && !WorkloadPlan.Replaces(known, instance.View()));

    /// <summary>Lets the successor take over once it is Ready; false: there is none, or it is not.</summary>
    private async Task<bool> TakeOverAsync(List<Role> roles, DateTimeOffset now, CancellationToken ct)
    {
        if (roles.Find(role => role.Instance == successor) is not { Target: { } target } || (problemTarget == target && retryAt > now))
        {
            return false;
        }

        successorReady = WorkloadReport.Make(target, successor!.View(), null, tools.Runtime, null, now).Conditions.First(condition => condition.Type == ConditionTypes.Ready);
        if (successorReady.Status != ConditionStatus.True)
        {
            return false;
        }

        try
        {
            await successor.TakeOverAsync(instance, target.Ports, ct);
        }
        catch (StartFailedException e)
        {
            Fail(e.Message, target, now);
            return false;
        }

        Clear();
        (leaving, instance, successor, successorReady) = (instance, successor, null, null);
        return true;
    }

    /// <summary>What an instance is to be.</summary>
    /// <param name="Instance">Which.</param>
    /// <param name="Target">Null: it goes on as it is, or goes with <see cref="Remove"/>.</param>
    private sealed record Role(WorkloadInstance Instance, WorkloadTarget? Target)
    {
        public bool Remove { get; init; }
    }
}
