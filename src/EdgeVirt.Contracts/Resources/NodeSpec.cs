namespace EdgeVirt.Contracts.Resources;

/// <summary>What an operator states about a node. The hub makes the Node when a board enrolls.</summary>
public sealed record NodeSpec
{
    /// <summary>Take no further workloads; those that run stay.</summary>
    public bool Unschedulable { get; init; }
}
