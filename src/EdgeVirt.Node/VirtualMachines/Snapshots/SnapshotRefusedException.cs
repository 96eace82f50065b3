namespace EdgeVirt.Node.VirtualMachines.Snapshots;

/// <summary>Something cannot be done with a snapshot. The message says what to do.</summary>
internal sealed class SnapshotRefusedException(string message, bool isMissing = false, Exception? inner = null) : Exception(message, inner)
{
    /// <summary>There is no such machine, snapshot or disk.</summary>
    public bool IsMissing { get; } = isMissing;
}
