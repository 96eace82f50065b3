using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Node.Containers.Oci;

/// <summary>
/// Which ids of the node the users of which workload are: ranges of <see cref="UserIds.PerWorkload"/>. What is taken is written in the sandbox's
/// record, and taken again after a restart of the agent. Safe for use by several threads.
/// </summary>
/// <param name="first">The first id of all.</param>
internal sealed class HostIdRanges(uint first)
{
    /// <summary>How many workloads at most.</summary>
    public const int Count = 4096;

    private readonly Lock gate = new();
    private readonly HashSet<uint> taken = [];

    /// <summary>Takes a range, the one that it had before if there is one; gives its first id.</summary>
    /// <exception cref="StartFailedException">None is left.</exception>
    public uint Take(uint? before)
    {
        lock (gate)
        {
            if (before is { } known)
            {
                taken.Add(known);
                return known;
            }

            for (uint i = 0; i < Count; i++)
            {
                var id = first + i * UserIds.PerWorkload;
                if (taken.Add(id))
                {
                    return id;
                }
            }
        }

        throw new StartFailedException($"no user ids are left for hostUsers: false: {Count} workloads have theirs");
    }

    public void Free(uint id)
    {
        lock (gate)
        {
            taken.Remove(id);
        }
    }
}
