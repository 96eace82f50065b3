using System.Text.Json.Serialization.Metadata;

namespace EdgeVirt.Contracts.Resources;

/// <summary>The kinds there are, and what each consists of. The one place to add a kind.</summary>
public sealed class ResourceKind
{
    private ResourceKind(string name, string plural, JsonTypeInfo spec, Action<object, Validation>? validate = null, params string[] shortNames)
    {
        Name = name;
        Plural = plural;
        ShortNames = shortNames;
        SpecType = spec;
        Validate = validate ?? ((_, _) => { });
    }

    /// <summary>As in a manifest's <c>kind</c>.</summary>
    public string Name { get; }

    /// <summary>As in a path of the API: <c>/api/v1/&lt;plural&gt;</c>.</summary>
    public string Plural { get; }

    /// <summary>What people may type instead, e.g. <c>vm</c>.</summary>
    public IReadOnlyList<string> ShortNames { get; }

    /// <summary>Shape of <c>spec</c>.</summary>
    public JsonTypeInfo SpecType { get; }

    /// <summary>Checks what the shape alone does not say.</summary>
    internal Action<object, Validation> Validate { get; }

    /// <summary>Containers.</summary>
    public static ResourceKind Workload { get; } =
        new("Workload", "workloads", ContractsJson.Default.WorkloadSpec, (s, v) => WorkloadValidation.Validate((WorkloadSpec)s, v));

    /// <summary>Guests under QEMU.</summary>
    public static ResourceKind VirtualMachine { get; } = new(
        "VirtualMachine", "virtualmachines", ContractsJson.Default.VirtualMachineSpec, (s, v) => VirtualMachineValidation.Validate((VirtualMachineSpec)s, v), "vm", "vms");

    /// <summary>Boards that enrolled.</summary>
    public static ResourceKind Node { get; } = new("Node", "nodes", ContractsJson.Default.NodeSpec);

    /// <summary>Leave to enroll.</summary>
    public static ResourceKind BoardClaim { get; } =
        new("BoardClaim", "boardclaims", ContractsJson.Default.BoardClaimSpec, (s, v) => DataValidation.Validate((BoardClaimSpec)s, v));

    /// <summary>Confidential values.</summary>
    public static ResourceKind Secret { get; } =
        new("Secret", "secrets", ContractsJson.Default.SecretSpec, (s, v) => DataValidation.Validate((SecretSpec)s, v));

    /// <summary>Other values.</summary>
    public static ResourceKind Config { get; } =
        new("Config", "configs", ContractsJson.Default.ConfigSpec, (s, v) => DataValidation.Validate((ConfigSpec)s, v));

    /// <summary>Every kind.</summary>
    public static IReadOnlyList<ResourceKind> All { get; } = [Workload, VirtualMachine, Node, BoardClaim, Secret, Config];

    /// <summary>The kind of a manifest's <c>kind</c>, null if there is none.</summary>
    public static ResourceKind? ByName(string name) => All.FirstOrDefault(kind => kind.Name == name);

    /// <summary>The kind that a person means: <c>Workload</c>, <c>workloads</c> and <c>workload</c> are the same, and so are <c>VirtualMachine</c> and <c>vm</c>.</summary>
    public static ResourceKind? Find(string word) => All.FirstOrDefault(kind =>
        kind.Plural.Equals(word, StringComparison.OrdinalIgnoreCase) || kind.Name.Equals(word, StringComparison.OrdinalIgnoreCase) ||
        kind.ShortNames.Contains(word, StringComparer.OrdinalIgnoreCase));
}
