namespace EdgeVirt.Contracts.Resources;

/// <summary>A virtual machine across the fleet, put together by the hub.</summary>
public sealed record VirtualMachineStatus
{
    /// <summary>How many nodes it was placed on.</summary>
    public int DesiredInstances { get; init; }

    /// <summary>How many of them report it Ready at the current generation.</summary>
    public int ReadyInstances { get; init; }

    /// <summary>One entry per node, ordered by node name.</summary>
    public IReadOnlyList<VirtualMachineInstanceStatus> Instances { get; init => field = value ?? []; } = [];

    /// <summary>Ready, and what else holds for the whole.</summary>
    public IReadOnlyList<Condition> Conditions { get; init => field = value ?? []; } = [];
}

/// <summary>A virtual machine on one node, as the node reports it.</summary>
public sealed record VirtualMachineInstanceStatus
{
    /// <summary>The node's name.</summary>
    public required string Node { get; init; }

    /// <summary>The generation that the node has acted on.</summary>
    public long ObservedGeneration { get; init; }

    /// <summary>What it does now.</summary>
    public VirtualMachineState State { get; init; }

    /// <summary>Its first address on the node's workload network.</summary>
    public string? Address { get; init; }

    /// <summary>How often it was started again.</summary>
    public int RestartCount { get; init; }

    /// <summary>When its QEMU began.</summary>
    public DateTimeOffset? StartedAt { get; init; }

    /// <summary>How the newest run that ended did so.</summary>
    public ContainerExit? LastExit { get; init; }

    /// <summary>Ready, and Accelerated where a guest was to run.</summary>
    public IReadOnlyList<Condition> Conditions { get; init => field = value ?? []; } = [];
}

/// <summary>What a virtual machine does at this moment.</summary>
public enum VirtualMachineState
{
    /// <summary>Not started yet, or between two runs.</summary>
    Waiting,

    /// <summary>The guest runs.</summary>
    Running,

    /// <summary>The guest stands still, as asked or because a disk failed.</summary>
    Paused,

    /// <summary>Off, as asked, or ended and not to be started again.</summary>
    Stopped,
}
