using EdgeVirt.Linux;

namespace EdgeVirt.Node.VirtualMachines.Cpus;

/// <summary>The node's processors that were chosen for a machine, as they are written down.</summary>
/// <param name="List">Numbers: with <paramref name="IsDedicated"/> that of each of its processors in their order, else those that all of them share.</param>
/// <param name="Count">How many processors its guest sees.</param>
/// <param name="IsDedicated">No other machine runs on them.</param>
internal sealed record VmCpus(string List, int Count, bool IsDedicated)
{
    /// <summary>The numbers of <see cref="List"/>.</summary>
    public IReadOnlyList<int> Numbers() => CpuList.Parse(List);
}

/// <summary>On which of the node's processors the threads of a machine are to run at this moment.</summary>
/// <param name="Guest">For each processor of the guest where it has one of its own; null: they share those of <paramref name="Others"/>.</param>
/// <param name="Others">All other threads of its QEMU.</param>
internal sealed record CpuAssignment(IReadOnlyList<int>? Guest, IReadOnlyList<int> Others)
{
    /// <summary>Where its QEMU is to begin: what it finds out of the node's processors has to be true of those of its guest.</summary>
    public IReadOnlyList<int> Begin => Guest ?? Others;

    /// <summary>All of them.</summary>
    public string All => CpuList.Format([.. Guest ?? [], .. Others]);

    /// <summary>Two that are the same have the same text.</summary>
    public string Text => $"{(Guest is null ? "" : string.Join(',', Guest))}/{CpuList.Format(Others)}";
}
