using EdgeVirt.Linux;

namespace EdgeVirt.Node.VirtualMachines.Cpus;

/// <summary>
/// Chooses processors of the node for a machine. Pure. All processors of a guest are of one kind: on big.LITTLE it would otherwise see
/// another processor from one moment to the next, and KVM refuses to start it.
/// </summary>
internal static class CpuChoice
{
    /// <summary>Chooses a kind for a machine that shares: where its processors get most, with those that are there already.</summary>
    /// <param name="node">Its processors, at least one.</param>
    /// <param name="others">What other machines have.</param>
    /// <param name="count">How many processors the guest sees.</param>
    /// <returns>Numbers of all of that kind; null: no kind has as many that are nobody's alone.</returns>
    public static IReadOnlyList<int>? Shared(IReadOnlyList<Cpu> node, IReadOnlyCollection<VmCpus> others, int count)
    {
        var dedicated = DedicatedOf(others);
        return node.GroupBy(cpu => cpu.Kind)
            .Select(kind => (All: kind.ToList(), Free: kind.Count(cpu => !dedicated.Contains(cpu.Number))))
            // Some of them may be kept for others for now, but not for good: what has to fit is the kind.
            .Where(kind => kind.All.Count >= count && kind.Free > 0)
            .OrderByDescending(kind => (double)kind.All.Max(cpu => cpu.Capacity) * Math.Min(1, (double)kind.Free / (count + Sharing(others, kind.All))))
            .ThenByDescending(kind => kind.All.Max(cpu => cpu.Capacity))
            .Select(kind => (IReadOnlyList<int>)[.. kind.All.Select(cpu => cpu.Number)])
            .FirstOrDefault();
    }

    /// <summary>
    /// Chooses processors for one machine alone: fast ones first, in one cluster and by whole cores where that can be. One is left for
    /// everything else on the node, and one of each kind that other machines share.
    /// </summary>
    /// <returns>Numbers, one for each processor of the guest; null: there are not as many.</returns>
    public static IReadOnlyList<int>? Dedicated(IReadOnlyList<Cpu> node, IReadOnlyCollection<VmCpus> others, int count)
    {
        var dedicated = DedicatedOf(others);
        var free = node.Where(cpu => !dedicated.Contains(cpu.Number)).ToList();
        if (free.Count <= count)
        {
            return null;
        }

        foreach (var kind in free.GroupBy(cpu => cpu.Kind).OrderByDescending(kind => kind.Max(cpu => cpu.Capacity)))
        {
            // The first processor of a node has the most of its interrupts: it is what is left.
            var clusters = kind.GroupBy(cpu => cpu.Cluster)
                .OrderByDescending(cluster => cluster.Count() >= count)
                .ThenBy(cluster => cluster.Any(cpu => cpu.Number == 0))
                .ThenBy(cluster => cluster.Count());
            var best = clusters
                .SelectMany(cluster => cluster.GroupBy(cpu => cpu.Core)
                    .OrderBy(core => core.Any(cpu => cpu.Number == 0)).ThenByDescending(core => core.Count()).ThenBy(core => core.Min(cpu => cpu.Number))
                    .SelectMany(core => core.OrderBy(cpu => cpu.Number)))
                .ToList();
            var isShared = Sharing(others, [.. node.Where(cpu => cpu.Kind == kind.Key)]) > 0;
            if (best.Count - (isShared ? 1 : 0) >= count)
            {
                return [.. best.Take(count).Select(cpu => cpu.Number)];
            }
        }

        return null;
    }

    /// <summary>Where the threads of a machine are to run beside all others.</summary>
    public static CpuAssignment Assign(IReadOnlyList<Cpu> node, VmCpus own, IReadOnlyCollection<VmCpus> others)
    {
        var taken = DedicatedOf(own.IsDedicated ? [.. others, own] : others);
        List<int> rest = [.. node.Select(cpu => cpu.Number).Where(number => !taken.Contains(number))];
        if (own.IsDedicated)
        {
            return new CpuAssignment(own.Numbers(), rest);
        }

        var shared = own.Numbers();
        List<int> free = [.. rest.Where(number => shared.Contains(number))];
        // Nobody is left without any, whatever records say.
        return new CpuAssignment(null, free.Count > 0 ? free : shared);
    }

    private static HashSet<int> DedicatedOf(IReadOnlyCollection<VmCpus> machines) => [.. machines.Where(one => one.IsDedicated).SelectMany(one => one.Numbers())];

    // Processors of guests that share some of these.
    private static int Sharing(IReadOnlyCollection<VmCpus> machines, IReadOnlyList<Cpu> kind) =>
        machines.Where(one => !one.IsDedicated && one.Numbers().Any(number => kind.Any(cpu => cpu.Number == number))).Sum(one => one.Count);
}
