using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Hub.Scheduling;

/// <summary>What differs between the kinds of resources that are placed on nodes. The one place to add such a kind.</summary>
internal sealed class PlacedKind
{
    private PlacedKind()
    {
    }

    public static PlacedKind Workload { get; } = new()
    {
        Kind = ResourceKind.Workload,
        Word = "workload",
        Read = FleetWorkload.Of,
        StatusType = ContractsJson.Default.WorkloadStatus,
        InstanceType = ContractsJson.Default.WorkloadInstanceStatus,
        Unreported = node => new WorkloadInstanceStatus { Node = node },
        Whole = instances => new WorkloadStatus { Instances = [.. instances.Cast<WorkloadInstanceStatus>()] },
        Conditions = [ConditionTypes.LimitsEnforced, ConditionTypes.SeccompEnforced, ConditionTypes.AppArmorEnforced, ConditionTypes.Progressing],
    };

    public static PlacedKind VirtualMachine { get; } = new()
    {
        Kind = ResourceKind.VirtualMachine,
        Word = "virtual machine",
        Read = FleetMachine.Of,
        StatusType = ContractsJson.Default.VirtualMachineStatus,
        InstanceType = ContractsJson.Default.VirtualMachineInstanceStatus,
        Unreported = node => new VirtualMachineInstanceStatus { Node = node },
        Whole = instances => new VirtualMachineStatus { Instances = [.. instances.Cast<VirtualMachineInstanceStatus>()] },
        Conditions = [ConditionTypes.Accelerated],
    };

    /// <summary>All of them.</summary>
    public static IReadOnlyList<PlacedKind> All { get; } = [Workload, VirtualMachine];

    public required ResourceKind Kind { get; init; }

    /// <summary>For people, in the middle of a sentence.</summary>
    public required string Word { get; init; }

    /// <summary>What the scheduler needs to know of a resource.</summary>
    public required Func<Resource, Placeable> Read { get; init; }

    /// <summary>An instance of which a node has not said anything.</summary>
    public required Func<string, InstanceStatus> Unreported { get; init; }

    /// <summary>A status of instances, without what all kinds have.</summary>
    public required Func<IReadOnlyList<InstanceStatus>, PlacedStatus> Whole { get; init; }

    /// <summary>Conditions of instances, besides Ready, that are told of the whole.</summary>
    public required IReadOnlyList<string> Conditions { get; init; }

    public required JsonTypeInfo StatusType { get; init; }

    public required JsonTypeInfo InstanceType { get; init; }

    /// <summary>The kind of that name, null if it is none that is placed on nodes.</summary>
    public static PlacedKind? Find(string kind) => All.FirstOrDefault(known => known.Kind.Name == kind);

    /// <summary>The kind of that name, which is known to be one.</summary>
    public static PlacedKind Of(string kind) => Find(kind) ?? throw new ArgumentException($"{kind} is not placed on nodes", nameof(kind));

    /// <summary>A status that the store holds; null if there is none.</summary>
    public PlacedStatus? ReadStatus(JsonElement? status) => (PlacedStatus?)status?.Deserialize(StatusType);

    /// <summary>Reads what a node reports, or what was stored of it.</summary>
    /// <exception cref="JsonException">It does not have the kind's shape.</exception>
    public InstanceStatus ReadInstance(ReadOnlySpan<byte> json) =>
        (InstanceStatus?)JsonSerializer.Deserialize(json, InstanceType) ?? throw new JsonException("The status is null.");
}
