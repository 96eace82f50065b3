namespace EdgeVirt.Contracts.Api;

/// <summary>Snapshots of one virtual machine on one node, as its agent tells them.</summary>
public sealed record LocalSnapshotList
{
    /// <summary>In the order in which they were taken.</summary>
    public IReadOnlyList<LocalSnapshot> Items { get; init => field = value ?? []; } = [];
}

/// <summary>All disks of a virtual machine as they were at one moment.</summary>
public sealed record LocalSnapshot
{
    /// <summary>Its name within the machine.</summary>
    public required string Name { get; init; }

    /// <summary>When it was taken, by the node's clock.</summary>
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>The schedule took it, and removes it when its time has come.</summary>
    public bool IsScheduled { get; init; }

    /// <summary>The guest's file systems were at rest; else it is as after a power cut.</summary>
    public bool FsFrozen { get; init; }

    /// <summary>The snapshot whose disks show where this one's have nothing of their own; absent: none.</summary>
    public string? Parent { get; init; }

    /// <summary>Its disks.</summary>
    public IReadOnlyList<LocalSnapshotDisk> Disks { get; init => field = value ?? []; } = [];
}

/// <summary>A disk of a snapshot.</summary>
public sealed record LocalSnapshotDisk
{
    /// <summary>Its name in the machine.</summary>
    public required string Name { get; init; }

    /// <summary>Its size as the guest saw it, bytes.</summary>
    public required long SizeBytes { get; init; }

    /// <summary>Length of the file that holds what this snapshot has beyond its parent, bytes.</summary>
    public required long OwnBytes { get; init; }
}
