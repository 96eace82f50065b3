using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Node.State;

/// <summary>Whether the state files are sound, as the condition <c>StorageHealthy</c> that the hub gets to see.</summary>
internal sealed class StorageHealth
{
    private readonly Quarantine quarantine;
    private readonly TimeProvider time;
    private readonly Lock gate = new();
    private Condition? last;
    private volatile bool isFull;

    public StorageHealth(Quarantine quarantine, TimeProvider time)
    {
        this.quarantine = quarantine;
        this.time = time;
        quarantine.Changed += () => Changed?.Invoke();
    }

    /// <summary>Raised when <see cref="Condition"/> may say something else.</summary>
    public event Action? Changed;

    /// <summary>How it is now.</summary>
    public Condition Condition
    {
        get
        {
            var losses = quarantine.RecentLosses();
            var (status, reason, message) = isFull
                ? (ConditionStatus.False, StorageReasons.Full, "The data partition is full: state is held in memory only. Free some space.")
                : losses is not null
                    ? (ConditionStatus.False, StorageReasons.Quarantined, losses)
                    : (ConditionStatus.True, StorageReasons.Healthy, null);
            lock (gate)
            {
                var since = last is { } before && before.Status == status ? before.LastTransitionTime : time.GetUtcNow();
                return last = new Condition { Type = ConditionTypes.StorageHealthy, Status = status, Reason = reason, Message = message, LastTransitionTime = since };
            }
        }
    }

    /// <summary>A write found the disk full, or found room again.</summary>
    public void SetFull(bool full)
    {
        if (isFull != full)
        {
            isFull = full;
            Changed?.Invoke();
        }
    }
}
