using System.Text.Json.Serialization;
using EdgeVirt.Node.VirtualMachines.Qemu;

namespace EdgeVirt.Node.VirtualMachines.Snapshots;

/// <summary>One file of a disk. Only the top one is written to; what it does not have shows from the one below.</summary>
/// <param name="Number">Of no other layer of the disk, ever; 0: the file that the disk began with. See <see cref="VmPaths.Layer"/>.</param>
/// <param name="Format">How it is written.</param>
/// <param name="Parent">The layer below; null: what the disk began from, or nothing.</param>
internal sealed record DiskLayer(int Number, DiskFormat Format, int? Parent);

/// <summary>The layers of one disk: a tree, because going back to a snapshot begins another branch there.</summary>
/// <param name="Disk">Its name.</param>
/// <param name="Top">The layer that the guest writes to.</param>
/// <param name="Next">Number of the next one.</param>
/// <param name="Layers">All that there are.</param>
internal sealed record DiskChain(string Disk, int Top, int Next, IReadOnlyList<DiskLayer> Layers);

/// <summary>How far a snapshot is.</summary>
internal enum SnapshotPhase
{
    /// <summary>The layers that come on top are made. Undone when the agent ends.</summary>
    Making,

    /// <summary>They are whole, and QEMU is told to write to them. Whether it does is asked of it; with QEMU ended, both answers come to the same disks.</summary>
    Switching,

    /// <summary>It is there.</summary>
    Taken,
}

/// <summary>What a snapshot has of one disk.</summary>
/// <param name="Disk">Its name.</param>
/// <param name="Layer">Nobody writes to it, nor to those below.</param>
/// <param name="VirtualBytes">The disk's size at that moment.</param>
internal sealed record SnapshotDisk(string Disk, int Layer, long VirtualBytes);

/// <summary>All disks of a machine as they were at one moment.</summary>
internal sealed record VmSnapshot
{
    public required string Name { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    public required SnapshotPhase Phase { get; init; }

    /// <summary>Taken by the schedule, and to go by it.</summary>
    public bool IsScheduled { get; init; }

    /// <summary>The guest had written all of its file systems to the disks and stood still; else it is as after a power cut.</summary>
    public bool FsFrozen { get; init; }

    public required IReadOnlyList<SnapshotDisk> Disks { get; init; }
}

/// <summary>A machine is to go back to a snapshot; carried out once it is off.</summary>
/// <param name="Snapshot">Which.</param>
/// <param name="KeepAs">Name of the snapshot that its present state becomes; null: that state goes.</param>
internal sealed record SnapshotRestore(string Snapshot, string? KeepAs);

/// <summary>What the upper layer has is copied into the lower one, which nobody needs as it was. Until it is done, upper over lower shows the same as before.</summary>
internal sealed record LayerMerge(string Disk, int Lower, int Upper);

/// <summary>What is written down about a machine's snapshots and layers. Each change of it is one durable write, before or after its effect as <see cref="VmSnapshots"/> says.</summary>
internal sealed record SnapshotState
{
    public static readonly SnapshotState None = new();

    /// <summary>Of the disks that were ever in a snapshot.</summary>
    public IReadOnlyList<DiskChain> Chains { get; init => field = value ?? []; } = [];

    /// <summary>In the order in which they were taken.</summary>
    public IReadOnlyList<VmSnapshot> Snapshots { get; init => field = value ?? []; } = [];

    /// <summary>Null: nothing is to be restored.</summary>
    public SnapshotRestore? Restore { get; init; }

    /// <summary>What QEMU copies in the background; null: nothing.</summary>
    public LayerMerge? Merge { get; init; }

    /// <summary>When the schedule took the newest, by the clock of that moment.</summary>
    public DateTimeOffset? LastScheduled { get; init; }

    public DiskChain? ChainOf(string disk) => Chains.FirstOrDefault(chain => chain.Disk == disk);

    public VmSnapshot? Find(string name) => Snapshots.FirstOrDefault(snapshot => snapshot.Name == name);
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UseStringEnumConverter = true, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(SnapshotState))]
internal sealed partial class SnapshotsJson : JsonSerializerContext;
