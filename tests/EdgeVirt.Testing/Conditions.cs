using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Testing;

public static class Conditions
{
    public static bool Is(this NodeStatus node, string type, ConditionStatus status, string? reason = null) => node.Conditions.Is(type, status, reason);

    public static bool Is(this IReadOnlyList<Condition> conditions, string type, ConditionStatus status, string? reason = null) =>
        conditions.Any(condition => condition.Type == type && condition.Status == status && (reason is null || condition.Reason == reason));
}
