using EdgeVirt.Contracts.Resources;
using EdgeVirt.Linux;
using EdgeVirt.Node.Hub;
using EdgeVirt.Node.State;

namespace EdgeVirt.Node;

/// <summary>Names the OCI runtime in use, e.g. <c>crun 1.21</c>; registered by whoever runs containers.</summary>
internal delegate string? ContainerRuntimeName();

/// <summary>The node as it describes itself, to its hub and to who asks on the board.</summary>
internal sealed class NodeStatusSource(
    NodeOptions options, NodeStore store, NodeConditions conditions, StorageHealth health, IdentityFiles identities, IEnumerable<ContainerRuntimeName> runtimes)
{
    // Does not change while the agent runs.
    private readonly NodeStatus facts = new()
    {
        AgentVersion = EdgeVirt.Node.AgentVersion.Text,
        Architecture = SystemFacts.Architecture,
        Board = SystemFacts.Board,
        SerialNumber = SystemFacts.SerialNumber,
        Kernel = SystemFacts.Kernel,
        OperatingSystem = SystemFacts.OperatingSystem,
        BootId = SystemFacts.BootId,
        CpuCount = SystemFacts.CpuCount,
        MemoryBytes = SystemFacts.MemoryBytes,
    };

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
        return facts with
        {
            Kinds = stated.Any(condition => condition is { Type: ConditionTypes.RunsVirtualMachines, Status: ConditionStatus.True })
                ? [ResourceKind.VirtualMachine.Name, ResourceKind.Workload.Name]
                : [ResourceKind.Workload.Name],
            ContainerRuntime = runtimes.Select(runtime => runtime()).FirstOrDefault(name => name is not null),
            Addresses = SystemFacts.Addresses(),
            DiskBytes = SystemFacts.DiskBytes(options.DataDir),
            DesiredRevision = (long)desired.Revision,
            CertificateExpiresAt = identities.Current is { } identity ? new DateTimeOffset(identity.Certificate.NotAfter.ToUniversalTime(), TimeSpan.Zero) : null,
            Conditions = [.. stated, health.Condition],
        };
    }
}
