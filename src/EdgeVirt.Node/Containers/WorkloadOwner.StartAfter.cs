using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.Containers.Sets;

namespace EdgeVirt.Node.Containers;

/// <summary>Waiting for other workloads, and telling those that wait for this one.</summary>
internal sealed partial class WorkloadOwner
{
    private WorkloadTarget? heldTarget;
    private WorkloadProblem? held;

    // A sandbox is made at the first start and after a boot of the node: there, and there alone, the order counts.
    private WorkloadPlan HoldBack(WorkloadPlan plan, WorkloadTarget? target) =>
        target is not null && plan.Steps.Any(step => step is WorkloadStep.CreateSandbox) && IsHeld(target, ofOtherSets: false)
            ? plan with { Steps = [.. plan.Steps.Where(step => step is not WorkloadStep.CreateSandbox)] }
            : plan;

    private bool IsHeld(WorkloadTarget target, bool ofOtherSets)
    {
        if (tools.StartOrder.ProblemOf(target, ofOtherSets) is not { } problem)
        {
            return false;
        }

        (heldTarget, held) = (target, problem);
        return true;
    }

    private void TellProgress(MemberOrder order, Role role, WorkloadView view, WorkloadInstanceStatus status)
    {
        var isCurrent = role.Target is not null && reportedHash == role.Target.Hash && order.Target?.Hash == role.Target.Hash;
        TellProgress(isCurrent ? StartProgress.Of(role.Target!, view, status.Conditions.First(condition => condition.Type == ConditionTypes.Ready)) : StartProgress.Nothing);
    }

    private void TellProgress(StartProgress? progress)
    {
        foreach (var waiter in tools.StartOrder.Tell(name, progress))
        {
            Woken?.Invoke(waiter);
        }
    }
}
