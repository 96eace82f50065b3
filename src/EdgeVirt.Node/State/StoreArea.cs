using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Node.State;

/// <summary>The two halves of the store.</summary>
internal enum StoreArea
{
    /// <summary>What the hub wants; written by the desired-state session.</summary>
    Desired,

    /// <summary>What was seen; written by the reconciler of the kind.</summary>
    Observed,
}

/// <summary>The desired state in force.</summary>
/// <param name="Revision">Its number, 0 when nothing was accepted yet.</param>
/// <param name="Document">Null: nothing is known, so nothing may be started, changed or removed.</param>
internal sealed record DesiredSnapshot(ulong Revision, NodeDocument? Document)
{
    /// <summary>Nothing accepted yet.</summary>
    public static readonly DesiredSnapshot None = new(0, null);

    /// <summary>SHA-256 of the bytes that were accepted; empty when a part of them was lost, so that the hub sends
    /// them again.</summary>
    public ReadOnlyMemory<byte> Digest { get; init; }

    /// <summary>
    /// False: an older agent stored the document, and of kinds that it did not know nothing is there. Until the hub has sent it again, nothing
    /// may be concluded from their absence.
    /// </summary>
    public bool IsWhole { get; init; } = true;
}

/// <summary>What a reconciler saw of one workload.</summary>
/// <param name="Name">The workload's name.</param>
/// <param name="Uid">The resource that it was made of.</param>
/// <param name="Status">As it is reported to the hub.</param>
internal sealed record ObservedWorkload(string Name, string Uid, WorkloadInstanceStatus Status);

/// <summary>What a reconciler saw of one virtual machine.</summary>
/// <param name="Name">The machine's name.</param>
/// <param name="Uid">The resource that it was made of.</param>
/// <param name="Status">As it is reported to the hub.</param>
internal sealed record ObservedVirtualMachine(string Name, string Uid, VirtualMachineInstanceStatus Status);
