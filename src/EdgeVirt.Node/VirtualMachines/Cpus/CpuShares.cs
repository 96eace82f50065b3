using EdgeVirt.Contracts.Resources;
using EdgeVirt.Linux;

namespace EdgeVirt.Node.VirtualMachines.Cpus;

/// <summary>Who has which of the node's processors. Safe for use by several threads. It lives in memory: the records of machines have it too.</summary>
/// <param name="read">Reads what processors there are.</param>
internal sealed class CpuShares(Func<IReadOnlyList<Cpu>> read)
{
    private readonly Lock gate = new();
    private readonly Dictionary<string, VmCpus> taken = [];
    private IReadOnlyList<Cpu>? node;

    /// <summary>Raised when processors were given to one machine alone, or are no longer: all others are to look where they may run. On any thread.</summary>
    public event Action? Changed;

    private IReadOnlyList<Cpu> Node => node ??= read();

    /// <summary>Chooses processors for a machine, which has them until <see cref="Release"/>.</summary>
    /// <exception cref="VmNotReadyException">The node has not as many.</exception>
    public VmCpus Take(string id, VirtualCpuSpec? cpu)
    {
        var count = cpu?.Count ?? 1;
        var isDedicated = cpu?.DedicatedCpuPlacement ?? false;
        VmCpus chosen;
        lock (gate)
        {
            List<VmCpus> others = [.. taken.Where(pair => pair.Key != id).Select(pair => pair.Value)];
            var numbers = isDedicated ? CpuChoice.Dedicated(Node, others, count) : CpuChoice.Shared(Node, others, count);
            if (numbers is null)
            {
                throw new VmNotReadyException(new VmProblem(ReadyReasons.ResourcesMissing, isDedicated ? WhyNotDedicated(others, count) : WhyNotShared(others, count)));
            }

            taken[id] = chosen = new VmCpus(isDedicated ? string.Join(',', numbers) : CpuList.Format(numbers), count, isDedicated);
        }

        Tell(chosen);
        return chosen;
    }

    /// <summary>Gives a machine back what was written down for it.</summary>
    public void Restore(string id, VmCpus cpus)
    {
        lock (gate)
        {
            taken[id] = cpus;
        }
    }

    /// <summary>Lets go of what a machine had. Nothing is no failure.</summary>
    public void Release(string id)
    {
        VmCpus? had;
        lock (gate)
        {
            taken.Remove(id, out had);
        }

        Tell(had);
    }

    /// <summary>Where the threads of a machine are to run at this moment; null: it has nothing.</summary>
    public CpuAssignment? AssignmentOf(string id)
    {
        lock (gate)
        {
            return taken.TryGetValue(id, out var own) ? CpuChoice.Assign(Node, own, [.. taken.Where(pair => pair.Key != id).Select(pair => pair.Value)]) : null;
        }
    }

    /// <summary>Whether an assignment is every processor of the node: nothing has to be done for it.</summary>
    public bool IsAll(CpuAssignment assignment)
    {
        lock (gate)
        {
            return assignment.Guest is null && assignment.Others.Count == Node.Count;
        }
    }

    private void Tell(VmCpus? changed)
    {
        if (changed is { IsDedicated: true })
        {
            Changed?.Invoke();
        }
    }

    private string WhyNotDedicated(List<VmCpus> others, int count)
    {
        var kept = others.Where(one => one.IsDedicated).Sum(one => one.Count);
        return $"{count} processors of the node for this machine alone are wanted (dedicatedCpuPlacement); it has {Node.Count}, of which {kept} are other machines' alone and one of each kind stays for all else"
            + "; give the machine fewer, or place it on another node";
    }

    private string WhyNotShared(List<VmCpus> others, int count)
    {
        var kinds = Node.GroupBy(cpu => cpu.Kind).Select(kind => kind.Count()).ToList();
        var kept = others.Where(one => one.IsDedicated).Sum(one => one.Count);
        return (kinds.Count > 1 ? $"{count} processors of one kind are wanted, the node has {string.Join(" and ", kinds)} of each of its kinds" : $"{count} processors are wanted, the node has {Node.Count}")
            + (kept > 0 ? $", and {kept} of them are other machines' alone" : "") + "; give the machine fewer, or place it on another node";
    }
}
