namespace EdgeVirt.Contracts.Api;

/// <summary>The persistent volumes on one node, as its agent tells them.</summary>
public sealed record LocalVolumeList
{
    /// <summary>Ordered by name.</summary>
    public IReadOnlyList<LocalVolume> Items { get; init => field = value ?? []; } = [];
}

/// <summary>One persistent volume on one node.</summary>
public sealed record LocalVolume
{
    /// <summary>Its name on the node.</summary>
    public required string Name { get; init; }

    /// <summary>What is set aside for it on the data partition, bytes.</summary>
    public required long SizeBytes { get; init; }

    /// <summary>What of that holds data, bytes; absent where nobody has it, so that it is not mounted.</summary>
    public long? UsedBytes { get; init; }

    /// <summary>When it was made.</summary>
    public DateTimeOffset CreatedAt { get; init; }

    /// <summary>Workloads that have it.</summary>
    public IReadOnlyList<string> UsedBy { get; init => field = value ?? []; } = [];
}
