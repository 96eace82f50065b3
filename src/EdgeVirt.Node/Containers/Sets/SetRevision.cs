using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.State;

namespace EdgeVirt.Node.Containers.Sets;

/// <summary>What the members of a set are to be, or were, at one time.</summary>
internal sealed class SetRevision
{
    private readonly Dictionary<string, WorkloadTarget> members;
    private readonly NodeDocument document;

    /// <param name="members">In the order of the document.</param>
    /// <param name="document">Where they stand, with the Configs and Secrets that they name.</param>
    public SetRevision(IEnumerable<WorkloadTarget> members, NodeDocument document)
    {
        Members = [.. members];
        this.members = Members.ToDictionary(member => member.Workload.Name);
        // Only what is its own: a revision is kept for long, and whole documents with it would fill the memory.
        this.document = document with
        {
            Workloads = [.. Members.Select(member => member.Workload)],
            Configs = [.. document.Configs.Where(config => Members.Any(member => member.Names(secret: false, config.Name)))],
            Secrets = [.. document.Secrets.Where(secret => Members.Any(member => member.Names(secret: true, secret.Name)))],
        };
        Id = IdOf(Members);
    }

    /// <summary>Changes with whatever a member runs, and with how the set is switched.</summary>
    public string Id { get; }

    public IReadOnlyList<WorkloadTarget> Members { get; }

    /// <summary>From the switch to proof, at most.</summary>
    public TimeSpan Deadline => TimeSpan.FromSeconds(Most(strategy => strategy.ProgressDeadlineSeconds ?? UpdateTerms.DefaultProgressDeadlineSeconds, UpdateTerms.DefaultProgressDeadlineSeconds));

    /// <summary>How long all must stay Ready.</summary>
    public TimeSpan MinReady => TimeSpan.FromSeconds(Most(strategy => strategy.MinReadySeconds ?? UpdateTerms.DefaultMinReadySeconds, UpdateTerms.DefaultMinReadySeconds));

    /// <summary>Whether a failure brings the revision before back.</summary>
    public bool RollsBack => Members.All(member => member.Workload.Strategy?.Rollback is null or RollbackPolicy.OnFailure);

    public WorkloadTarget? Find(string name) => members.GetValueOrDefault(name);

    /// <summary>Whether both run the same; how they are switched does not count.</summary>
    public bool RunsSame(SetRevision other) => Members.Count == other.Members.Count && Members.All(other.Has);

    /// <summary>Whether it runs just this.</summary>
    public bool Has(WorkloadTarget target) => Find(target.Workload.Name) is { } own && own.Hash == target.Hash && own.Workload.Uid == target.Workload.Uid;

    /// <summary>As it is remembered over restarts of the agent.</summary>
    public SettledSet ToRecord(string key, IReadOnlyDictionary<string, IReadOnlyDictionary<string, string>> images) =>
        new() { Key = key, Document = document, Images = images };

    public static SetRevision Of(SettledSet record)
    {
        var references = new References(record.Document);
        return new(record.Document.Workloads.Select(workload => WorkloadTarget.Of(record.Document.Node, workload, references, before: null)), record.Document);
    }

    private static string IdOf(IReadOnlyList<WorkloadTarget> members)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var member in members.OrderBy(member => member.Workload.Name, StringComparer.Ordinal))
        {
            hash.AppendData(Encoding.UTF8.GetBytes($"{member.Workload.Name} {member.Workload.Uid} {member.Hash}\n"));
            hash.AppendData(JsonSerializer.SerializeToUtf8Bytes(member.Workload.Strategy ?? new UpdateStrategy(), ContractsJson.Default.UpdateStrategy));
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset().AsSpan(0, 16));
    }

    private int Most(Func<UpdateStrategy, int> of, int otherwise) =>
        Members.Count == 0 ? otherwise : Members.Max(member => member.Workload.Strategy is { } strategy ? of(strategy) : otherwise);
}
