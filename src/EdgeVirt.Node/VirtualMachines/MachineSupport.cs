using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.Reconcile;
using EdgeVirt.Node.State;

namespace EdgeVirt.Node.VirtualMachines;

/// <summary>States whether the node can run virtual machines: the hub places them only where that is so.</summary>
/// <param name="conditions">Where it is stated.</param>
/// <param name="missing">What is not installed, as a sentence that says what to install; null: nothing is missing.</param>
internal sealed class MachineSupport(NodeConditions conditions, Func<string?> missing) : IReconciler
{
    // Programs are installed by hand, and nothing tells.
    private static readonly TimeSpan Look = TimeSpan.FromMinutes(1);

    public event Action? Woken
    {
        add { }
        remove { }
    }

    public string Name => "support for virtual machines";

    public IReadOnlyList<StoreArea> Reads => [];

    // Before the first status goes out.
    public ValueTask ReclaimAsync(CancellationToken ct)
    {
        State();
        return ValueTask.CompletedTask;
    }

    public ValueTask<TimeSpan?> ReconcileAsync(CancellationToken ct)
    {
        State();
        return ValueTask.FromResult<TimeSpan?>(Look);
    }

    private void State()
    {
        if (missing() is { } what)
        {
            conditions.Set(ConditionTypes.RunsVirtualMachines, ConditionStatus.False, RunsVirtualMachinesReasons.ProgramMissing, what);
        }
        else
        {
            conditions.Set(ConditionTypes.RunsVirtualMachines, ConditionStatus.True, RunsVirtualMachinesReasons.Installed);
        }
    }
}
