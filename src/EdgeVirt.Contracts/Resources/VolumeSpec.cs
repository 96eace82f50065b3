namespace EdgeVirt.Contracts.Resources;

/// <summary>Something to mount: exactly one of the sources.</summary>
public sealed record VolumeSpec
{
    /// <summary>DNS label, unique within the workload.</summary>
    public required string Name { get; init; }

    /// <summary>An empty directory that lives as long as the workload does on the node.</summary>
    public EmptyDirSource? EmptyDir { get; init; }

    /// <summary>A volume of the node that outlives the workload.</summary>
    public PersistentVolumeSource? PersistentVolume { get; init; }

    /// <summary>A file or directory of the node, where the node allows it.</summary>
    public HostPathSource? HostPath { get; init; }

    /// <summary>One file per key of a Secret, on tmpfs.</summary>
    public SecretSource? Secret { get; init; }

    /// <summary>One file per key of a Config, on tmpfs.</summary>
    public ConfigSource? Config { get; init; }

    /// <summary>Whether containers cannot write to it where it is mounted so.</summary>
    public bool IsReadOnlyAt(VolumeMount mount) => mount.ReadOnly || this is not { Secret: null, Config: null };
}

/// <summary>An empty directory.</summary>
public sealed record EmptyDirSource
{
    /// <summary>What it is made of; absent: the node's data partition.</summary>
    public EmptyDirMedium? Medium { get; init; }

    /// <summary>
    /// Most bytes that it takes: writes beyond it fail with ENOSPC. Absent: on the disk no limit of its own, in memory half of the
    /// node's.
    /// </summary>
    public Quantity? SizeLimit { get; init; }
}

/// <summary>What an empty directory is made of.</summary>
public enum EmptyDirMedium
{
    /// <summary>A tmpfs: gone with a reboot, and counted as memory of whoever writes.</summary>
    Memory,

    /// <summary>Huge pages of the size that the kernel takes as its default; counted by the limit of huge pages of whoever writes.</summary>
    HugePages,
}

/// <summary>
/// A named volume of the node, made by the first workload that names it. It stays when workloads change or go, and is removed
/// only by <c>edgevirt volume delete</c>.
/// </summary>
public sealed record PersistentVolumeSource
{
    /// <summary>Name on the node, a DNS label. Workloads of one node that give the same name share it.</summary>
    public required string VolumeName { get; init; }

    /// <summary>Its size in bytes, set aside on the data partition. A larger one later makes it grow; it never shrinks.</summary>
    public required Quantity SizeLimit { get; init; }
}

/// <summary>Files made of a Secret.</summary>
public sealed record SecretSource
{
    /// <summary>The Secret's name.</summary>
    public required string SecretName { get; init; }

    /// <summary>Permission bits of the files, 0 to 0777; absent: 0644, as in Kubernetes, so that whoever the container runs as can read them.</summary>
    public int? DefaultMode { get; init; }

    /// <summary>Which keys, and under which names; absent: all, each under its own.</summary>
    public IReadOnlyList<KeyToPath>? Items { get; init; }

    /// <summary>Whether the workload runs also without the Secret, or without a key that <see cref="Items"/> names.</summary>
    public bool Optional { get; init; }
}

/// <summary>Files made of a Config.</summary>
public sealed record ConfigSource
{
    /// <summary>The Config's name.</summary>
    public required string Name { get; init; }

    /// <summary>Permission bits of the files, 0 to 0777; absent: 0644.</summary>
    public int? DefaultMode { get; init; }

    /// <summary>Which keys, and under which names; absent: all, each under its own.</summary>
    public IReadOnlyList<KeyToPath>? Items { get; init; }

    /// <summary>Whether the workload runs also without the Config, or without a key that <see cref="Items"/> names.</summary>
    public bool Optional { get; init; }
}

/// <summary>A key of a Secret or Config as a file.</summary>
public sealed record KeyToPath
{
    /// <summary>The key.</summary>
    public required string Key { get; init; }

    /// <summary>Path of the file below the volume, without <c>..</c>.</summary>
    public required string Path { get; init; }

    /// <summary>Permission bits of this file, 0 to 0777; absent: those of the volume.</summary>
    public int? Mode { get; init; }
}

/// <summary>Where a volume appears in a container.</summary>
public sealed record VolumeMount
{
    /// <summary>The volume's name.</summary>
    public required string Name { get; init; }

    /// <summary>Absolute path in the container.</summary>
    public required string MountPath { get; init; }

    /// <summary>
    /// What of the volume appears there, relative to it; absent: all. A directory that is missing is made. It never leads out of
    /// the volume, and does not follow changes of a Secret or Config.
    /// </summary>
    public string? SubPath { get; init; }

    /// <summary>Secret and Config volumes are read-only in any case.</summary>
    public bool ReadOnly { get; init; }
}
