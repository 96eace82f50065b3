namespace EdgeVirt.Contracts.Resources;

/// <summary>The rules of snapshots.</summary>
internal static partial class VirtualMachineValidation
{
    private const int LeastSnapshotInterval = 300;
    private const int MostSnapshotInterval = 365 * 24 * 3600;

    // A machine has 64 at most; the rest is for those that people take.
    private const int MostSnapshotsKept = 48;

    private static void ValidateSnapshots(VirtualMachineSpec spec, Validation v)
    {
        if (spec.Snapshots is not { } snapshots)
        {
            return;
        }

        if (snapshots.IntervalSeconds is < LeastSnapshotInterval or > MostSnapshotInterval)
        {
            v.Add("spec.snapshots.intervalSeconds", $"must be between {LeastSnapshotInterval} and {MostSnapshotInterval}");
        }

        if (snapshots.Keep is < 1 or > MostSnapshotsKept)
        {
            v.Add("spec.snapshots.keep", $"must be between 1 and {MostSnapshotsKept}");
        }

        if ((spec.Disks ?? []).All(disk => disk.ReadOnly))
        {
            v.Add("spec.snapshots", "the machine has no disk that it writes to, so there is nothing to take snapshots of; add one, or leave them out");
        }
    }
}
