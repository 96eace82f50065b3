using System.Text.Json.Serialization;

namespace EdgeVirt.Contracts.Resources;

/// <summary>A group of containers that share a network and run together on each node of a placement.</summary>
public sealed record WorkloadSpec
{
    /// <summary>What runs. Names and meanings are those of a Kubernetes Pod.</summary>
    public required PodSpec Template { get; init; }

    /// <summary>Where it runs; absent: on every node.</summary>
    public Placement? Placement { get; init; }
}

/// <summary>Which nodes, and how many of them.</summary>
public sealed record Placement
{
    /// <summary>Labels that a node must carry.</summary>
    public IReadOnlyDictionary<string, string>? NodeSelector { get; init; }

    /// <summary>How many nodes; absent: every node that matches.</summary>
    public int? Replicas { get; init; }
}

/// <summary>The subset of Kubernetes' PodSpec that nodes carry out.</summary>
public sealed record PodSpec
{
    /// <summary>At least one.</summary>
    public required IReadOnlyList<ContainerSpec> Containers { get; init; }

    /// <summary>What containers can mount.</summary>
    public IReadOnlyList<VolumeSpec>? Volumes { get; init; }

    /// <summary>When a container that ended is started again.</summary>
    public RestartPolicy RestartPolicy { get; init; } = RestartPolicy.Always;

    /// <summary>Use the node's own network instead of one of the workload's own.</summary>
    public bool HostNetwork { get; init; }

    /// <summary>Seconds between SIGTERM and SIGKILL; absent: 30.</summary>
    public int? TerminationGracePeriodSeconds { get; init; }
}

/// <summary>When a container that ended is started again.</summary>
public enum RestartPolicy
{
    /// <summary>Whatever the exit code.</summary>
    Always,

    /// <summary>On a non-zero exit code or a signal.</summary>
    OnFailure,

    /// <summary>Not at all.</summary>
    Never,
}

/// <summary>When an image is looked up at its registry.</summary>
public enum ImagePullPolicy
{
    /// <summary>Only if the node does not have it; the default.</summary>
    IfNotPresent,

    /// <summary>At each start of the workload; with the registry out of reach, the image at hand is used.</summary>
    Always,

    /// <summary>Not at all: the image must be on the node.</summary>
    Never,
}

/// <summary>One container.</summary>
public sealed record ContainerSpec
{
    /// <summary>DNS label, unique within the workload.</summary>
    public required string Name { get; init; }

    /// <summary>Registry reference by tag or digest, or <c>oci:/path/of/layout[:tag]</c>.</summary>
    public required string Image { get; init; }

    /// <summary>When the registry is asked.</summary>
    public ImagePullPolicy ImagePullPolicy { get; init; }

    /// <summary>Replaces the image's entrypoint.</summary>
    public IReadOnlyList<string>? Command { get; init; }

    /// <summary>Replaces the image's command.</summary>
    public IReadOnlyList<string>? Args { get; init; }

    /// <summary>Absolute path; absent: the image's.</summary>
    public string? WorkingDir { get; init; }

    /// <summary>Environment, later entries win over the image's.</summary>
    public IReadOnlyList<EnvVar>? Env { get; init; }

    /// <summary>Ports that listen, and on which node port they are published.</summary>
    public IReadOnlyList<ContainerPort>? Ports { get; init; }

    /// <summary>Limits.</summary>
    public ResourceRequirements? Resources { get; init; }

    /// <summary>Where the workload's volumes appear.</summary>
    public IReadOnlyList<VolumeMount>? VolumeMounts { get; init; }
}

/// <summary>One environment variable: a value, or where it comes from.</summary>
public sealed record EnvVar
{
    /// <summary>A C identifier.</summary>
    public required string Name { get; init; }

    /// <summary>The value itself.</summary>
    public string? Value { get; init; }

    /// <summary>Where the value comes from.</summary>
    public EnvVarSource? ValueFrom { get; init; }
}

/// <summary>Exactly one of the two.</summary>
public sealed record EnvVarSource
{
    /// <summary>A key of a Secret.</summary>
    public KeyRef? SecretKeyRef { get; init; }

    /// <summary>A key of a Config.</summary>
    public KeyRef? ConfigKeyRef { get; init; }
}

/// <summary>One key of a Secret or Config.</summary>
public sealed record KeyRef
{
    /// <summary>The resource's name.</summary>
    public required string Name { get; init; }

    /// <summary>The key in its data.</summary>
    public required string Key { get; init; }
}

/// <summary>Transport protocols that can be published.</summary>
public enum PortProtocol
{
    /// <summary>TCP.</summary>
    TCP,

    /// <summary>UDP.</summary>
    UDP,
}

/// <summary>A port in the workload's network, and where the node publishes it.</summary>
public sealed record ContainerPort
{
    /// <summary>For people.</summary>
    public string? Name { get; init; }

    /// <summary>1 to 65535.</summary>
    [JsonPropertyName("containerPort")]
    public required int Port { get; init; }

    /// <summary>The node's port; absent: not published.</summary>
    public int? HostPort { get; init; }

    /// <summary>TCP unless said otherwise.</summary>
    public PortProtocol Protocol { get; init; }
}

/// <summary>What a container may use.</summary>
public sealed record ResourceRequirements
{
    /// <summary>Hard limits.</summary>
    public ResourceLimits? Limits { get; init; }
}

/// <summary>Hard limits of one container.</summary>
public sealed record ResourceLimits
{
    /// <summary>CPUs, e.g. <c>500m</c> or <c>2</c>.</summary>
    public Quantity? Cpu { get; init; }

    /// <summary>Bytes, e.g. <c>64Mi</c>.</summary>
    public Quantity? Memory { get; init; }

    /// <summary>Processes and threads.</summary>
    public int? Pids { get; init; }
}

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
