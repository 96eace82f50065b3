namespace EdgeVirt.Contracts.Api;

/// <summary>Answer to <c>GET /api/v1/volumebackups</c>.</summary>
public sealed record VolumeBackupList
{
    /// <summary>Newest first.</summary>
    public IReadOnlyList<VolumeBackup> Items { get; init => field = value ?? []; } = [];
}

/// <summary>A backup of a persistent volume that the hub keeps.</summary>
public sealed record VolumeBackup
{
    /// <summary>What it is called; sorts by time.</summary>
    public required string Id { get; init; }

    /// <summary>The node that it is from. The node may be gone.</summary>
    public required string Node { get; init; }

    /// <summary>The volume's name on that node.</summary>
    public required string Volume { get; init; }

    /// <summary>Bytes of the file: a tar compressed by zstd.</summary>
    public required long SizeBytes { get; init; }

    /// <summary>SHA-256 of the file, hexadecimal.</summary>
    public required string Sha256 { get; init; }

    /// <summary>When it was whole.</summary>
    public required DateTimeOffset CreatedAt { get; init; }
}

/// <summary>
/// One line of the answer while a backup travels between hub and node. The last one says how it ended: <see cref="IsDone"/>, or the
/// fields of an <see cref="ApiError"/>.
/// </summary>
public sealed record VolumeTransfer
{
    /// <summary>Bytes that have come, or gone, so far.</summary>
    public required long Bytes { get; init; }

    /// <summary>All is in its place.</summary>
    public bool IsDone { get; init; }

    /// <summary>The backup that was made, or restored.</summary>
    public VolumeBackup? Backup { get; init; }

    /// <inheritdoc cref="ApiError.Code"/>
    public string? Code { get; init; }

    /// <inheritdoc cref="ApiError.Message"/>
    public string? Message { get; init; }

    /// <inheritdoc cref="ApiError.Hint"/>
    public string? Hint { get; init; }
}
