using System.Text.Json;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Hub.Resources;

namespace EdgeVirt.Hub.Nodes;

/// <summary>
/// The status of Node resources, of which each part has one author: the node describes itself, the hub says when it was
/// seen and whether it is Ready, and the desired-state session notes what the node refused.
/// </summary>
internal sealed class NodeStatusWriter(ResourceStore resources, TimeProvider time)
{
    /// <summary>A Node's status; an empty one if it has none.</summary>
    public static NodeStatus StatusOf(Resource node) => node.Status?.Deserialize(ContractsJson.Default.NodeStatus) ?? new NodeStatus();

    /// <summary>Writes the hub's own part.</summary>
    public Task PresenceAsync(string node, Presence presence, DateTimeOffset? lastSeen, CancellationToken ct) =>
        ChangeAsync(
            node,
            status => WithCondition(status, ConditionTypes.Ready, presence.Status, presence.Reason, presence.Message) with
            {
                LastSeen = lastSeen ?? status.LastSeen,
            },
            ct);

    /// <summary>Takes over what a node says about itself. What is the hub's to say stays as it is.</summary>
    public Task ReportedAsync(string node, NodeStatus reported, CancellationToken ct) =>
        ChangeAsync(
            node,
            status =>
            {
                var own = reported.Conditions.Where(condition => condition.Type != ConditionTypes.Ready).ToList();
                var kept = status.Conditions.Where(condition => own.TrueForAll(said => said.Type != condition.Type));
                return reported with { LastSeen = status.LastSeen, Conditions = [.. kept.Concat(own).OrderBy(condition => condition.Type, StringComparer.Ordinal)] };
            },
            ct);

    /// <summary>Notes a node's answer to a revision.</summary>
    public Task VerdictAsync(string node, long revision, bool accepted, string reason, CancellationToken ct) =>
        ChangeAsync(
            node,
            status => accepted
                ? WithCondition(status, ConditionTypes.DesiredStateAccepted, ConditionStatus.True, DesiredStateReasons.Accepted, null) with
                {
                    DesiredRevision = revision,
                }
                : WithCondition(
                    status,
                    ConditionTypes.DesiredStateAccepted,
                    ConditionStatus.False,
                    DesiredStateReasons.Invalid,
                    $"The node refused revision {revision}: {reason} The last accepted one stays in force."),
            ct);

    private Task<bool> ChangeAsync(string node, Func<NodeStatus, NodeStatus> change, CancellationToken ct) =>
        resources.UpdateStatusAsync(
            ResourceKind.Node,
            node,
            resource => JsonSerializer.SerializeToElement(change(StatusOf(resource)), ContractsJson.Default.NodeStatus),
            ct);

    private NodeStatus WithCondition(NodeStatus status, string type, ConditionStatus value, string reason, string? message)
    {
        var before = status.Conditions.FirstOrDefault(condition => condition.Type == type);
        var condition = new Condition
        {
            Type = type,
            Status = value,
            Reason = reason,
            Message = message,
            LastTransitionTime = before?.Status == value ? before.LastTransitionTime : time.GetUtcNow(),
        };
        var others = status.Conditions.Where(other => other.Type != type);
        return status with { Conditions = [.. others.Append(condition).OrderBy(other => other.Type, StringComparer.Ordinal)] };
    }
}
