using EdgeVirt.Node.State;

namespace EdgeVirt.Node.Reconcile;

/// <summary>
/// Makes one part of the node be as it is desired. Level-triggered: a pass re-reads everything, compares, acts and
/// records what it saw; it never relies on having been told what changed. <see cref="ReconcilerHost"/> runs it, one
/// pass at a time.
/// </summary>
internal interface IReconciler
{
    /// <summary>For logs.</summary>
    string Name { get; }

    /// <summary>The areas whose changes wake it.</summary>
    IReadOnlyList<StoreArea> Reads { get; }

    /// <summary>Raised by the reconciler when something outside the store changed, e.g. a container ended.</summary>
    event Action? Woken;

    /// <summary>
    /// Takes back what the records of an earlier run of the agent hold of what reconcilers share: addresses, node ports. Each has done
    /// so before the first makes a pass, so that nobody takes it for free. Must not wait for anything but files.
    /// Where it throws, the host logs it, and passes begin all the same.
    /// </summary>
    ValueTask ReclaimAsync(CancellationToken ct) => ValueTask.CompletedTask;

    /// <summary>
    /// One pass. Returns when to look again at the latest; null: only when woken (the host resyncs now and then in
    /// any case). Throws when it could not finish: the host logs it and tries again with backoff.
    /// </summary>
    ValueTask<TimeSpan?> ReconcileAsync(CancellationToken ct);
}
