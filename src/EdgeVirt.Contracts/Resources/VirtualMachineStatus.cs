using System.Text.Json.Serialization;

namespace EdgeVirt.Contracts.Resources;

/// <summary>A virtual machine across the fleet, put together by the hub.</summary>
public sealed record VirtualMachineStatus : PlacedStatus
{
    /// <summary>One entry per node, ordered by node name.</summary>
    public IReadOnlyList<VirtualMachineInstanceStatus> Instances { get; init => field = value ?? []; } = [];

    /// <inheritdoc/>
    [JsonIgnore]
    public override IReadOnlyList<InstanceStatus> OnNodes => Instances;
}

/// <summary>A virtual machine on one node, as the node reports it. Its conditions are Ready, and Accelerated where a guest was to run.</summary>
public sealed record VirtualMachineInstanceStatus : InstanceStatus
{
    /// <summary>What it does now.</summary>
    public VirtualMachineState State { get; init; }

    /// <summary>How often it was started again.</summary>
    public int RestartCount { get; init; }

    /// <summary>When its QEMU began.</summary>
    public DateTimeOffset? StartedAt { get; init; }

    /// <summary>Memory that its guest has now, bytes: less than its size while the node keeps some of it back. Null: it does not run.</summary>
    public long? MemoryBytes { get; init; }

    /// <summary>Processors of the node that its own run on, e.g. <c>2-3</c>; in their order where each has one of its own. Null: any.</summary>
    public string? Cpus { get; init; }

    /// <summary>How the newest run that ended did so.</summary>
    public ContainerExit? LastExit { get; init; }

    /// <summary>What the guest's own agent tells of its network cards; absent: it has none that answers.</summary>
    public IReadOnlyList<VirtualInterfaceStatus>? Interfaces { get; init; }

    /// <summary>How often its guest was reset since <see cref="StartedAt"/>: it rebooted, or its watchdog expired.</summary>
    public int ResetCount { get; init; }

    /// <summary>The newest of these.</summary>
    public VirtualMachineReset? LastReset { get; init; }
}

/// <summary>A guest began anew without its QEMU being started again.</summary>
/// <param name="Reason">GuestReset: it rebooted itself; WatchdogExpired: it no longer fed its watchdog.</param>
/// <param name="At">When; null: QEMU did not say.</param>
public sealed record VirtualMachineReset(string Reason, DateTimeOffset? At);

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
