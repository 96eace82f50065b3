using System.Text.Json.Serialization;

namespace EdgeVirt.Contracts.Resources;

/// <summary>A resource that is placed on nodes, across the fleet; put together by the hub.</summary>
public abstract record PlacedStatus
{
    /// <summary>How many nodes it was placed on.</summary>
    [JsonPropertyOrder(-1)]
    public int DesiredInstances { get; init; }

    /// <summary>How many of them report it Ready at the current generation.</summary>
    [JsonPropertyOrder(-1)]
    public int ReadyInstances { get; init; }

    /// <summary>One entry per node, ordered by node name: the list of instances of the kind's own status.</summary>
    [JsonIgnore]
    public abstract IReadOnlyList<InstanceStatus> OnNodes { get; }

    /// <summary>Ready, and what else holds for the whole.</summary>
    [JsonPropertyOrder(1)]
    public IReadOnlyList<Condition> Conditions { get; init => field = value ?? []; } = [];
}

/// <summary>A resource that is placed on nodes, on one of them, as that node reports it.</summary>
public abstract record InstanceStatus
{
    /// <summary>The node's name.</summary>
    [JsonPropertyOrder(-1)]
    public required string Node { get; init; }

    /// <summary>The generation that the node has acted on.</summary>
    [JsonPropertyOrder(-1)]
    public long ObservedGeneration { get; init; }

    /// <summary>Its first address on the node's workload network, absent where it has none of its own.</summary>
    [JsonPropertyOrder(-1)]
    public string? Address { get; init; }

    /// <summary>Ready, and what else holds on this node; the kind's own status says what.</summary>
    [JsonPropertyOrder(1)]
    public IReadOnlyList<Condition> Conditions { get; init => field = value ?? []; } = [];
}

/// <summary>A workload across the fleet, put together by the hub.</summary>
public sealed record WorkloadStatus : PlacedStatus
{
    /// <summary>One entry per node, ordered by node name.</summary>
    public IReadOnlyList<WorkloadInstanceStatus> Instances { get; init => field = value ?? []; } = [];

    /// <inheritdoc/>
    [JsonIgnore]
    public override IReadOnlyList<InstanceStatus> OnNodes => Instances;
}

/// <summary>
/// A workload on one node, as the node reports it. Its conditions are Ready, LimitsEnforced, Progressing while a version takes over or
/// after it failed, and SeccompEnforced and AppArmorEnforced where they are not.
/// </summary>
public sealed record WorkloadInstanceStatus : InstanceStatus
{
    /// <summary>In the order of the spec; absent where it has none.</summary>
    public IReadOnlyList<ContainerStatus>? InitContainers { get; init; }

    /// <summary>In the order of the spec.</summary>
    public IReadOnlyList<ContainerStatus> Containers { get; init => field = value ?? []; } = [];
}

/// <summary>What a container does at this moment.</summary>
public enum ContainerState
{
    /// <summary>Not started yet, or between two runs.</summary>
    Waiting,

    /// <summary>Its process runs.</summary>
    Running,

    /// <summary>Its process ended and will not be started again.</summary>
    Terminated,
}

/// <summary>One container on one node.</summary>
public sealed record ContainerStatus
{
    /// <summary>Name in the spec.</summary>
    public required string Name { get; init; }

    /// <summary>What it does now.</summary>
    public ContainerState State { get; init; }

    /// <summary>It runs and its probes say that it is ready; absent where the agent does not say.</summary>
    public bool? Ready { get; init; }

    /// <summary>Id of the newest run, e.g. <c>web-3f2a9c1e-nginx-2</c>.</summary>
    public string? ContainerId { get; init; }

    /// <summary>Digest of the image manifest it was made of.</summary>
    public string? ImageDigest { get; init; }

    /// <summary>How often it was started again.</summary>
    public int RestartCount { get; init; }

    /// <summary>When the newest run began.</summary>
    public DateTimeOffset? StartedAt { get; init; }

    /// <summary>How the newest run that ended did so.</summary>
    public ContainerExit? LastExit { get; init; }
}

/// <summary>How a run ended.</summary>
public sealed record ContainerExit
{
    /// <summary>Exit code, 128 + signal where a signal ended it.</summary>
    public required int Code { get; init; }

    /// <summary>Name of the signal, e.g. <c>SIGKILL</c>.</summary>
    public string? Signal { get; init; }

    /// <summary>Completed, Error, OOMKilled, StartError, Lost, ProbeFailed, FailedPostStartHook.</summary>
    public required string Reason { get; init; }

    /// <summary>For people.</summary>
    public string? Message { get; init; }

    /// <summary>When it ended.</summary>
    public DateTimeOffset? FinishedAt { get; init; }
}

/// <summary>A node as it describes itself; presence and times are added by the hub.</summary>
public sealed record NodeStatus
{
    /// <summary>Version of the agent.</summary>
    public string? AgentVersion { get; init; }

    /// <summary>amd64, arm64 or arm.</summary>
    public string? Architecture { get; init; }

    /// <summary>Board name, e.g. <c>rpi4</c>.</summary>
    public string? Board { get; init; }

    /// <summary>The board's serial number.</summary>
    public string? SerialNumber { get; init; }

    /// <summary>What starts the board; absent: nothing says.</summary>
    public NodeFirmware? Firmware { get; init; }

    /// <summary>The system image; absent: the node's system is not of an image.</summary>
    public NodeImage? Image { get; init; }

    /// <summary>Storage devices, ordered by name; absent: not looked at yet.</summary>
    public IReadOnlyList<StorageDevice>? Storage { get; init; }

    /// <summary>Release of the running kernel.</summary>
    public string? Kernel { get; init; }

    /// <summary>PRETTY_NAME of os-release.</summary>
    public string? OperatingSystem { get; init; }

    /// <summary>Changes with each boot.</summary>
    public string? BootId { get; init; }

    /// <summary>OCI runtime and its version, e.g. <c>crun 1.21</c>.</summary>
    public string? ContainerRuntime { get; init; }

    /// <summary>
    /// Names of the kinds of resources that the node carries out: its agent knows them, and what they need is installed. Absent: workloads alone, by an agent from before there were others.
    /// Other kinds are not placed on the node.
    /// </summary>
    public IReadOnlyList<string>? Kinds { get; init; }

    /// <summary>Addresses other than loopback and link-local.</summary>
    public IReadOnlyList<string> Addresses { get; init => field = value ?? []; } = [];

    /// <summary>CPUs.</summary>
    public int CpuCount { get; init; }

    /// <summary>Memory, bytes.</summary>
    public long MemoryBytes { get; init; }

    /// <summary>Size of the data partition, bytes.</summary>
    public long DiskBytes { get; init; }

    /// <summary>Newest desired revision in force.</summary>
    public long DesiredRevision { get; init; }

    /// <summary>End of the node's certificate.</summary>
    public DateTimeOffset? CertificateExpiresAt { get; init; }

    /// <summary>When the hub last heard from it.</summary>
    public DateTimeOffset? LastSeen { get; init; }

    /// <summary>Ready (by the hub), DesiredStateAccepted, StorageHealthy.</summary>
    public IReadOnlyList<Condition> Conditions { get; init => field = value ?? []; } = [];
}
