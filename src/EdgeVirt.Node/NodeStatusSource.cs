using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.Hub;
using EdgeVirt.Node.State;

namespace EdgeVirt.Node;

/// <summary>The node as it describes itself, to its hub and to who asks on the board.</summary>
internal sealed class NodeStatusSource(
    NodeStore store, NodeConditions conditions, StorageHealth health, IdentityFiles identities, NodeFacts facts)
{
    /// <summary>Raised when a condition changed.</summary>
    public event Action Changed
    {
        add
        {
            conditions.Changed += value;
            health.Changed += value;
        }

        remove
        {
            conditions.Changed -= value;
            health.Changed -= value;
        }
    }

    /// <summary>How it is now.</summary>
    public async ValueTask<NodeStatus> ReadAsync(CancellationToken ct)
    {
        var desired = await store.ReadDesiredAsync(ct);
        if (desired.Document is null)
        {
            conditions.Set(
                ConditionTypes.DesiredStateAccepted, ConditionStatus.Unknown, DesiredStateReasons.NoneYet, "The hub has not sent a desired state yet.");
        }
        else if (!desired.IsWhole)
        {
            conditions.Set(
                ConditionTypes.DesiredStateAccepted, ConditionStatus.Unknown, DesiredStateReasons.NoneYet,
                $"An older agent stored revision {desired.Revision} without its virtual machines; they are left as they are until the hub has sent it again.");
        }

        var stated = conditions.Read();
        return facts.Read() with
        {
            Kinds = stated.Any(condition => condition is { Type: ConditionTypes.RunsVirtualMachines, Status: ConditionStatus.True })
                ? [ResourceKind.VirtualMachine.Name, ResourceKind.Workload.Name]
                : [ResourceKind.Workload.Name],
            DesiredRevision = (long)desired.Revision,
            CertificateExpiresAt = identities.Current is { } identity ? new DateTimeOffset(identity.Certificate.NotAfter.ToUniversalTime(), TimeSpan.Zero) : null,
            Conditions = [.. stated, health.Condition],
        };
    }
}
