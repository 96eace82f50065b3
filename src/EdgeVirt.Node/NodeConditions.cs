using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Node;

/// <summary>Lasting facts about this node that its parts state and the hub gets to see. Thread-safe.</summary>
internal sealed class NodeConditions(TimeProvider time)
{
    private readonly Lock gate = new();
    private readonly SortedDictionary<string, Condition> conditions = new(StringComparer.Ordinal);

    /// <summary>Raised after a condition changed.</summary>
    public event Action? Changed;

    /// <summary>States a condition.</summary>
    public void Set(string type, ConditionStatus status, string reason, string? message = null)
    {
        lock (gate)
        {
            conditions.TryGetValue(type, out var before);
            var next = new Condition
            {
                Type = type,
                Status = status,
                Reason = reason,
                Message = message,
                LastTransitionTime = before?.Status == status ? before.LastTransitionTime : time.GetUtcNow(),
            };
            if (next == before)
            {
                return;
            }

            conditions[type] = next;
        }

        Changed?.Invoke();
    }

    /// <summary>All of them, ordered by type.</summary>
    public IReadOnlyList<Condition> Read()
    {
        lock (gate)
        {
            return [.. conditions.Values];
        }
    }
}
