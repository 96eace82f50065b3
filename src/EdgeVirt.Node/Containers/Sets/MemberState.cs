namespace EdgeVirt.Node.Containers.Sets;

/// <summary>How a member does what it is there for.</summary>
internal enum MemberHealth
{
    /// <summary>Not Ready, and it may become so.</summary>
    Waiting,

    /// <summary>Ready, or ended with success.</summary>
    Ready,

    /// <summary>Not Ready, and nothing but another version can help.</summary>
    Failed,
}

/// <summary>What an owner sees of its workload.</summary>
/// <param name="Running">Hash of the target that runs; null: nothing is there.</param>
/// <param name="Health">How that does.</param>
/// <param name="Staged">Hashes of targets that could be started at once.</param>
/// <param name="Images">Digests of the images that it runs, by container.</param>
internal sealed record MemberState(string? Running, MemberHealth Health, IReadOnlyList<string> Staged, IReadOnlyDictionary<string, string> Images)
{
    public static MemberState Nothing { get; } = new(null, MemberHealth.Waiting, [], new Dictionary<string, string>());

    /// <summary>What keeps it from being staged or Ready, for people; null: nothing.</summary>
    public string? Complaint { get; init; }
}

/// <summary>What an owner is to do.</summary>
/// <param name="Wanted">What the desired document says; null: it is not in it any more.</param>
/// <param name="Target">What is to run now; null: what is there goes on as it is, or goes with <see cref="Remove"/>.</param>
internal sealed record MemberOrder(WorkloadTarget? Wanted, WorkloadTarget? Target)
{
    /// <summary>Nothing is to be there.</summary>
    public bool Remove { get; init; }

    /// <summary>What is to be got ready beside what runs; null: nothing.</summary>
    public WorkloadTarget? Stage { get; init; }

    /// <summary>What may be running still, so that it can be kept so until the target can begin.</summary>
    public WorkloadTarget? Before { get; init; }

    /// <summary>The last that proved itself; null: none has.</summary>
    public WorkloadTarget? Proven { get; init; }

    /// <summary>Digests of the images that <see cref="Proven"/> ran with, by container.</summary>
    public IReadOnlyDictionary<string, string>? Pins { get; init; }

    /// <summary>How far the set is.</summary>
    public SetProgress Progress { get; init; } = SetProgress.Settled;

    /// <summary>When to ask again though nothing happened; null: never.</summary>
    public DateTimeOffset? Due { get; init; }
}

/// <summary>Where a set is on its way to a new revision.</summary>
/// <param name="Reason">One of ProgressingReasons; null: it is there.</param>
/// <param name="Message">For people.</param>
internal sealed record SetProgress(string? Reason, string? Message)
{
    public static SetProgress Settled { get; } = new(null, null);
}
