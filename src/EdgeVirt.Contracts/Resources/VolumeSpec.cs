namespace EdgeVirt.Contracts.Resources;

/// <summary>Something to mount: exactly one of the sources.</summary>
public sealed record VolumeSpec
{
    /// <summary>DNS label, unique within the workload.</summary>
    public required string Name { get; init; }

    /// <summary>An empty directory that lives as long as the workload does on the node.</summary>
    public EmptyDirSource? EmptyDir { get; init; }

    /// <summary>One file per key of a Secret, on tmpfs.</summary>
    public SecretSource? Secret { get; init; }

    /// <summary>One file per key of a Config, on tmpfs.</summary>
    public ConfigSource? Config { get; init; }
}

/// <summary>An empty directory.</summary>
public sealed record EmptyDirSource;

/// <summary>Files made of a Secret.</summary>
public sealed record SecretSource
{
    /// <summary>The Secret's name.</summary>
    public required string SecretName { get; init; }

    /// <summary>Permission bits of the files, 0 to 0777; absent: 0644, as in Kubernetes, so that whoever the container runs as can read them.</summary>
    public int? DefaultMode { get; init; }
}

/// <summary>Files made of a Config.</summary>
public sealed record ConfigSource
{
    /// <summary>The Config's name.</summary>
    public required string Name { get; init; }

    /// <summary>Permission bits of the files, 0 to 0777; absent: 0644.</summary>
    public int? DefaultMode { get; init; }
}

/// <summary>Where a volume appears in a container.</summary>
public sealed record VolumeMount
{
    /// <summary>The volume's name.</summary>
    public required string Name { get; init; }

    /// <summary>Absolute path in the container.</summary>
    public required string MountPath { get; init; }

    /// <summary>Secret and Config volumes are read-only in any case.</summary>
    public bool ReadOnly { get; init; }
}
