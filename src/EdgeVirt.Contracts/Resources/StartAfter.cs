namespace EdgeVirt.Contracts.Resources;

/// <summary>
/// Another workload of the same node that comes first. It orders starts alone, those after a boot of the node or an eviction too: a
/// workload that has started is not stopped when the other one goes away, and its containers restart without asking again.
/// </summary>
public sealed record StartAfter
{
    /// <summary>The other workload's name.</summary>
    public required string Workload { get; init; }

    /// <summary>How far it must have come; absent: <see cref="StartCondition.Ready"/>.</summary>
    public StartCondition Condition { get; init; }

    /// <summary>Whether nothing is waited for where the node has no such workload; otherwise that is waited for too.</summary>
    public bool Optional { get; init; }
}

/// <summary>How far a workload must have come for those that start after it.</summary>
public enum StartCondition
{
    /// <summary>Its condition Ready is True; the default.</summary>
    Ready,

    /// <summary>Each of its containers has begun, and their postStart hooks have ended.</summary>
    Started,

    /// <summary>Each of its containers ended with success, and none is started again.</summary>
    Completed,
}

/// <summary>Workloads that start after each other.</summary>
public static class StartCircle
{
    /// <summary>The shortest way from a workload back to itself, its own name at both ends; null: there is none.</summary>
    /// <param name="name">Where to begin.</param>
    /// <param name="after">Names of what a workload starts after.</param>
    public static IReadOnlyList<string>? Find(string name, Func<string, IEnumerable<string>> after)
    {
        var seen = new HashSet<string>();
        var ways = new Queue<IReadOnlyList<string>>([[name]]);
        while (ways.TryDequeue(out var way))
        {
            foreach (var next in after(way[^1]))
            {
                if (next == name)
                {
                    return [.. way, next];
                }

                if (seen.Add(next))
                {
                    ways.Enqueue([.. way, next]);
                }
            }
        }

        return null;
    }
}
