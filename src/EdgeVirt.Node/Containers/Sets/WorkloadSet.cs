using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.State;

namespace EdgeVirt.Node.Containers.Sets;

/// <summary>
/// Takes a set of workloads from one revision to the next: everything is staged first, then all are switched, then they
/// prove themselves; a revision that fails gives way to the last that proved itself. It decides from what the owners say,
/// and tells them what to do; it does nothing itself. Safe for use by several threads.
/// </summary>
internal sealed class WorkloadSet(string key, TimeProvider time)
{
    private readonly Lock gate = new();
    private readonly Dictionary<string, MemberState> states = [];
    private IReadOnlyDictionary<string, IReadOnlyDictionary<string, string>> settledImages = new Dictionary<string, IReadOnlyDictionary<string, string>>();
    private SetRevision? settled;
    private SetRevision? inForce;
    private SetRevision? wanted;
    private RefusedSet? refused;
    private SetPhase phase = SetPhase.Settled;
    private long switchedAt;
    private long? readyAt;

    private enum SetPhase
    {
        Settled,
        Staging,
        Proving,
        RolledBack,
    }

    public string Key => key;

    /// <summary>Workloads that it speaks for.</summary>
    public IEnumerable<string> Members
    {
        get
        {
            lock (gate)
            {
                return [.. new[] { wanted, inForce, settled }.SelectMany(revision => revision?.Members ?? []).Select(member => member.Workload.Name).Distinct()];
            }
        }
    }

    /// <summary>Whether it has members still.</summary>
    public bool IsWanted
    {
        get
        {
            lock (gate)
            {
                return wanted is { Members.Count: > 0 };
            }
        }
    }

    /// <summary>Digests of the images of what may be gone back to.</summary>
    public IEnumerable<string> SettledDigests
    {
        get
        {
            lock (gate)
            {
                return [.. settledImages.Values.SelectMany(images => images.Values)];
            }
        }
    }

    /// <summary>Whether the desired document has a workload of that name in it.</summary>
    public bool Wants(string name)
    {
        lock (gate)
        {
            return wanted?.Find(name) is not null;
        }
    }

    /// <summary>What a workload is to run at this moment; null: nothing.</summary>
    public WorkloadTarget? ToRun(string name)
    {
        lock (gate)
        {
            var (next, before, proven) = VersionsOf(name);
            return phase switch
            {
                SetPhase.Staging => before,
                SetPhase.Proving => IsTurn(next) ? next : before,
                SetPhase.RolledBack => proven,
                _ => next,
            };
        }
    }

    /// <summary>What the desired document says of a workload; null: it does not have it.</summary>
    public WorkloadTarget? Wanted(string name)
    {
        lock (gate)
        {
            return wanted?.Find(name);
        }
    }

    /// <summary>What a workload may have to be: the newest version, and the one to go back to.</summary>
    public IReadOnlyList<WorkloadTarget> TargetsOf(string name)
    {
        lock (gate)
        {
            return [.. new[] { wanted?.Find(name), inForce?.Find(name), settled?.Find(name) }.OfType<WorkloadTarget>()];
        }
    }

    /// <summary>Takes over what was remembered. Before anything else.</summary>
    public void Adopt(SettledSet record)
    {
        lock (gate)
        {
            settled = SetRevision.Of(record);
            settledImages = record.Images;
            refused = record.Refused;
        }
    }

    /// <summary>Says what the set is to be.</summary>
    /// <param name="revision">The new revision; may have no member.</param>
    /// <param name="running">Hashes of what runs now, by workload.</param>
    public void Want(SetRevision revision, Func<string, string?> running)
    {
        lock (gate)
        {
            var same = wanted?.Id == revision.Id;
            inForce = phase switch
            {
                SetPhase.Staging => inForce,
                SetPhase.RolledBack => settled,
                _ => same ? inForce : wanted,
            };
            wanted = revision;
            if (settled is not null && revision.Members.Count > 0 && !revision.Members.Any(member => settled.Find(member.Workload.Name)?.Workload.Uid == member.Workload.Uid))
            {
                // Resources of the same names, and others all the same: there is nothing to go back to.
                settled = null;
                refused = null;
            }

            foreach (var name in states.Keys.Where(name => revision.Find(name) is null && settled?.Find(name) is null && inForce?.Find(name) is null).ToList())
            {
                states.Remove(name);
            }

            if (same)
            {
                return;
            }

            readyAt = null;
            if (refused?.Revision == revision.Id)
            {
                phase = SetPhase.RolledBack;
            }
            else if (revision.Members.Count == 0 || settled?.RunsSame(revision) == true)
            {
                phase = SetPhase.Settled;
            }
            else if (revision.Members.Any(member => running(member.Workload.Name) == member.Hash && settled?.Has(member) != true))
            {
                // The agent was restarted in the middle of the switch.
                BeginProving();
            }
            else
            {
                phase = SetPhase.Staging;
            }
        }
    }

    /// <summary>Takes what an owner sees and says what it is to do.</summary>
    /// <param name="name">The workload.</param>
    /// <param name="state">What its owner sees.</param>
    /// <param name="now">Now.</param>
    /// <param name="turned">Whether the others are to be asked too: the set got a step further.</param>
    /// <param name="remember">What is to be remembered before the order is carried out; null: nothing new.</param>
    public MemberOrder Decide(string name, MemberState state, DateTimeOffset now, out bool turned, out SettledSet? remember)
    {
        lock (gate)
        {
            turned = !states.TryGetValue(name, out var known) || known.Running != state.Running || known.Health != state.Health || known.Complaint != state.Complaint;
            states[name] = state;
            turned |= Step(out remember);
            return OrderOf(name, now);
        }
    }

    private bool Step(out SettledSet? remember)
    {
        remember = null;
        if (phase == SetPhase.Staging && wanted!.Members.All(IsStaged))
        {
            BeginProving();
            return true;
        }

        if (phase != SetPhase.Proving)
        {
            return false;
        }

        if (!wanted!.Members.All(IsReady))
        {
            readyAt = null;
        }
        else if (time.GetElapsedTime(readyAt ??= time.GetTimestamp()) >= wanted.MinReady)
        {
            phase = SetPhase.Settled;
            settled = wanted;
            settledImages = wanted.Members.ToDictionary(member => member.Workload.Name, member => StateOf(member).Images);
            inForce = wanted;
            refused = null;
            remember = settled.ToRecord(key, settledImages);
            return true;
        }

        if (settled is not null && wanted.RollsBack && WhyFailed() is { } why)
        {
            phase = SetPhase.RolledBack;
            refused = new RefusedSet(wanted.Id, why);
            remember = settled.ToRecord(key, settledImages) with { Refused = refused };
            return true;
        }

        return false;
    }

    private string? WhyFailed()
    {
        var failed = wanted!.Members.FirstOrDefault(member => StateOf(member) is { Health: MemberHealth.Failed } state && state.Running == member.Hash);
        var late = failed is null && time.GetElapsedTime(switchedAt) >= wanted.Deadline
            ? wanted.Members.Where(member => !IsReady(member)).OrderByDescending(member => StateOf(member).Complaint is not null).FirstOrDefault()
            : null;
        return (failed ?? late) is not { } culprit ? null
            : $"'{culprit.Workload.Name}' generation {culprit.Workload.Generation} {(failed is null ? $"was not Ready within {wanted.Deadline.TotalSeconds:F0} s" : "failed")}" +
              $"{(StateOf(culprit).Complaint is { } complaint ? $": {complaint}" : "")}";
    }

    private MemberOrder OrderOf(string name, DateTimeOffset now)
    {
        var (next, before, proven) = VersionsOf(name);
        var order = phase switch
        {
            SetPhase.Staging => new MemberOrder(next, before) { Stage = next is null || IsStaged(next) ? null : next, Progress = StagingOf(next) },
            SetPhase.Proving => new(next, IsTurn(next) ? next : before)
            {
                Progress = settled is null ? SetProgress.Settled : new(ProgressingReasons.Switching, SwitchingMessage()),
                Due = now + Rest(),
            },
            SetPhase.RolledBack => new(next, proven) { Progress = new(ProgressingReasons.RolledBack, $"{refused!.Why}; the version before runs again. Apply another to go on.") },
            _ => new(next, next),
        };
        return order with
        {
            Remove = order.Target is null && (next is null || phase == SetPhase.RolledBack),
            Before = before,
            Proven = proven,
            Pins = proven is null ? null : settledImages.GetValueOrDefault(name),
        };
    }

    private (WorkloadTarget? Next, WorkloadTarget? Before, WorkloadTarget? Proven) VersionsOf(string name)
    {
        var next = wanted?.Find(name);
        var proven = Same(settled?.Find(name), next);
        return (next, Same(inForce?.Find(name), next) ?? proven, proven);
    }

    // The newer object where both run the same: it has the newer generation and credentials.
    private static WorkloadTarget? Same(WorkloadTarget? old, WorkloadTarget? next) =>
        old is null || (next is not null && next.Workload.Uid != old.Workload.Uid) ? null : next?.Hash == old.Hash ? next : old;

    // Members that roll wait for those before them.
    private bool IsTurn(WorkloadTarget? next) =>
        next?.Workload.Strategy?.Type != UpdateStrategyType.RollingUpdate ||
        StateOf(next).Running == next.Hash ||
        wanted!.Members.TakeWhile(member => member != next).Where(member => member.Workload.Strategy?.Type == UpdateStrategyType.RollingUpdate).All(IsReady);

    private SetProgress StagingOf(WorkloadTarget? next)
    {
        var missing = wanted!.Members.Where(member => !IsStaged(member)).ToList();
        var culprit = missing.FirstOrDefault(member => StateOf(member).Complaint is not null) ?? missing[0];
        var complaint = StateOf(culprit).Complaint;
        var who = culprit == next ? "the next version" : $"'{culprit.Workload.Name}' of the same set";
        return complaint is null
            ? new(ProgressingReasons.Staging, $"{who} is being staged; until all is on the node nothing changes")
            : new(ProgressingReasons.StagingFailed, $"{who} cannot be staged: {complaint}; until it can, nothing changes");
    }

    private string SwitchingMessage()
    {
        var missing = wanted!.Members.Where(member => !IsReady(member)).ToList();
        if (missing.Count == 0)
        {
            return $"the new version is Ready and must stay so for {wanted.MinReady.TotalSeconds:F0} s";
        }

        var complaint = missing.Select(member => StateOf(member).Complaint).FirstOrDefault(said => said is not null);
        return $"waits for {string.Join(", ", missing.Select(member => $"'{member.Workload.Name}'"))} to become Ready{(complaint is null ? "" : $": {complaint}")}";
    }

    // Without a way back the deadline changes nothing.
    private TimeSpan? Rest()
    {
        TimeSpan? rest = readyAt is { } since ? wanted!.MinReady - time.GetElapsedTime(since)
            : settled is not null && wanted!.RollsBack ? wanted.Deadline - time.GetElapsedTime(switchedAt)
            : null;
        return rest < TimeSpan.Zero ? TimeSpan.Zero : rest;
    }

    private void BeginProving()
    {
        phase = SetPhase.Proving;
        switchedAt = time.GetTimestamp();
        readyAt = null;
    }

    private bool IsStaged(WorkloadTarget member) => StateOf(member) is var state && (state.Running == member.Hash || state.Staged.Contains(member.Hash));

    private bool IsReady(WorkloadTarget member) => StateOf(member) is { Health: MemberHealth.Ready } state && state.Running == member.Hash;

    private MemberState StateOf(WorkloadTarget member) => states.GetValueOrDefault(member.Workload.Name, MemberState.Nothing);
}
