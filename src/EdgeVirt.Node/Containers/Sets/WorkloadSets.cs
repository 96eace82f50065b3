using System.Collections.Concurrent;
using EdgeVirt.Contracts;
using EdgeVirt.Node.State;

namespace EdgeVirt.Node.Containers.Sets;

/// <summary>All sets of the node, and which workload belongs to which. Called by the reconciler's loop; reading is safe on any thread.</summary>
internal sealed class WorkloadSets(TimeProvider time)
{
    private readonly ConcurrentDictionary<string, WorkloadSet> sets = new();
    private Dictionary<string, WorkloadTarget> targets = [];

    /// <summary>Digests of the images that sets may go back to.</summary>
    public IEnumerable<string> SettledDigests => sets.Values.SelectMany(set => set.SettledDigests);

    /// <summary>Takes over what was remembered.</summary>
    public void Adopt(IEnumerable<SettledSet> records)
    {
        sets.Clear();
        targets = [];
        foreach (var record in records)
        {
            SetOf(record.Key).Adopt(record);
        }
    }

    /// <summary>The set of a workload: the one that it is wanted in, else one that may have to stop it or go back to it; null: none.</summary>
    public WorkloadSet? Find(string workload) => targets.TryGetValue(workload, out var target)
        ? sets[target.SetKey]
        : sets.Values.FirstOrDefault(set => set.Members.Contains(workload));

    /// <summary>Takes a document; gives the workloads that are to be looked at, their set with them.</summary>
    /// <param name="document">The desired document.</param>
    /// <param name="running">Hashes of what runs, by workload.</param>
    public IReadOnlyList<(string Workload, WorkloadSet? Set)> Apply(NodeDocument document, Func<string, string?> running)
    {
        var references = new References(document);
        var now = new Dictionary<string, WorkloadTarget>(document.Workloads.Count);
        var changed = new HashSet<string>();
        foreach (var workload in document.Workloads)
        {
            var before = targets.GetValueOrDefault(workload.Name);
            var target = now[workload.Name] = WorkloadTarget.Of(document.Node, workload, references, before);
            if (!ReferenceEquals(before, target))
            {
                changed.Add(target.SetKey);
                changed.Add(before?.SetKey ?? target.SetKey);
            }
        }

        changed.UnionWith(targets.Values.Where(before => !now.ContainsKey(before.Workload.Name)).Select(gone => gone.SetKey));
        // At start: sets that are remembered, and of which nothing is wanted any more.
        changed.UnionWith(sets.Where(pair => !pair.Value.IsWanted).Select(pair => pair.Key));
        targets = now;
        var members = changed.ToDictionary(key => key, _ => new List<WorkloadTarget>());
        foreach (var target in now.Values)
        {
            members.GetValueOrDefault(target.SetKey)?.Add(target);
        }

        var affected = new HashSet<string>();
        foreach (var (key, targets) in members)
        {
            var set = SetOf(key);
            affected.UnionWith(set.Members);
            set.Want(new SetRevision(targets, document), running);
            affected.UnionWith(set.Members);
        }

        return [.. affected.Select(name => (name, Find(name)))];
    }

    /// <summary>Forgets a set that nobody wants; false: it is wanted, or there is none.</summary>
    public bool TryForget(WorkloadSet set) => !set.IsWanted && sets.TryRemove(set.Key, out _);

    private WorkloadSet SetOf(string key) => sets.GetOrAdd(key, _ => new WorkloadSet(key, time));
}
