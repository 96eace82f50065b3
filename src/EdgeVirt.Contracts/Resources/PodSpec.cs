namespace EdgeVirt.Contracts.Resources;

/// <summary>The subset of Kubernetes' PodSpec that nodes carry out.</summary>
public sealed record PodSpec
{
    /// <summary>At least one.</summary>
    public required IReadOnlyList<ContainerSpec> Containers { get; init; }

    /// <summary>Run before the others, one after the other, each until it ends with success; again when the node was restarted.</summary>
    public IReadOnlyList<ContainerSpec>? InitContainers { get; init; }

    /// <summary>Workloads of the same node that come first; a change of it restarts nothing.</summary>
    public IReadOnlyList<StartAfter>? StartAfter { get; init; }

    /// <summary>What containers can mount.</summary>
    public IReadOnlyList<VolumeSpec>? Volumes { get; init; }

    /// <summary>Secrets whose key <c>.dockerconfigjson</c> holds credentials of registries; tried in this order, then the node's own.</summary>
    public IReadOnlyList<LocalObjectReference>? ImagePullSecrets { get; init; }

    /// <summary>What pulling the images may cost; absent: whatever it takes.</summary>
    public ImagePullSpec? ImagePull { get; init; }

    /// <summary>How much of what each container writes is kept; absent: as the node says.</summary>
    public LogsSpec? Logs { get; init; }

    /// <summary>When a container that ended is started again.</summary>
    public RestartPolicy RestartPolicy { get; init; } = RestartPolicy.Always;

    /// <summary>Use the node's own network instead of one of the workload's own.</summary>
    public bool HostNetwork { get; init; }

    /// <summary>
    /// False: the containers have a user namespace of their own. Their ids 0 to 65535 are those of nobody else on the node, so that their
    /// root is nobody there; files of volumes keep the ids that the containers see. Absent: the node's own ids.
    /// </summary>
    public bool? HostUsers { get; init; }

    /// <summary>Seconds that a container may take to end, its preStop hook included, before SIGKILL; absent: 30.</summary>
    public int? TerminationGracePeriodSeconds { get; init; }

    /// <summary>What each container may do on the node, unless it says otherwise.</summary>
    public PodSecurityContext? SecurityContext { get; init; }

    /// <summary>Init containers and containers, in the order in which they begin.</summary>
    public IEnumerable<ContainerSpec> AllContainers() => [.. InitContainers ?? [], .. Containers];
}

/// <summary>What pulling an image may cost. Kubernetes has no word for it.</summary>
public sealed record ImagePullSpec
{
    /// <summary>Most bytes of layers that one image may cost on a node's link, those that come again after a cut included; absent: no limit.</summary>
    public Quantity? MaxBytes { get; init; }

    /// <summary>Most that an uplink may cost which a pull uses, 0 to 255, in the measure of the node's <c>uplinks</c>; absent: as the node says.</summary>
    public int? MaxUplinkCost { get; init; }

    /// <summary>Whether only that is fetched of a layer which the node lacks; absent: <see cref="ImageDeltaPolicy.Preferred"/>.</summary>
    public ImageDeltaPolicy? Delta { get; init; }
}

/// <summary>What of a layer is fetched when the node has some of its files already.</summary>
public enum ImageDeltaPolicy
{
    /// <summary>What is missing; where that cannot be done (the layer is not zstd:chunked, say) all of it, and the node's log says why.</summary>
    Preferred,

    /// <summary>What is missing, or nothing: a layer of more than 64 KiB is never fetched whole, the condition says why.</summary>
    Required,

    /// <summary>Always all of it.</summary>
    Never,
}

/// <summary>Names a resource of the kind that the field says.</summary>
public sealed record LocalObjectReference
{
    /// <summary>The resource's name.</summary>
    public required string Name { get; init; }
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
