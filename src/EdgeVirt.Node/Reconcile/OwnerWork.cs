namespace EdgeVirt.Node.Reconcile;

/// <summary>Who looks after one thing of the desired document.</summary>
internal interface IOwner
{
    /// <summary>Of the thing.</summary>
    string Name { get; }

    /// <summary>Nothing is left to look after.</summary>
    bool IsGone { get; }

    /// <summary>When the next pass is due; null: when something happens.</summary>
    DateTimeOffset? Due { get; }

    /// <summary>Brings the thing a step nearer to what is wanted.</summary>
    Task PassAsync(CancellationToken ct);
}

/// <summary>What the passes of all owners of a reconciler have in common.</summary>
/// <param name="Time">The clock.</param>
/// <param name="Failed">Told of a pass that ended with a fault; the next one is due after <see cref="RetryAfterFault"/>.</param>
/// <param name="Rested">Told, before another pass can begin, that an owner has nothing to do now; whether the loop is to look.</param>
/// <param name="Woken">Has the loop look.</param>
/// <param name="Lifetime">Ends with the agent.</param>
internal sealed record OwnerPasses<T>(TimeProvider Time, Action<T, Exception> Failed, Func<OwnerWork<T>, bool> Rested, Action Woken, CancellationToken Lifetime)
    where T : IOwner
{
    public static readonly TimeSpan RetryAfterFault = TimeSpan.FromSeconds(5);
}

/// <summary>An owner's passes, one after the other; whoever asks during one gets another after it.</summary>
internal sealed class OwnerWork<T>(T owner, OwnerPasses<T> passes)
    where T : IOwner
{
    private bool again;

    public T Owner => owner;

    /// <summary>Nothing of this changes while it is held.</summary>
    public Lock Gate { get; } = new();

    public bool IsBusy { get; private set; }

    /// <summary>When the next pass is due; null: when something happens, or while one goes on.</summary>
    public DateTimeOffset? Due { get; private set; }

    /// <summary>The passes that go on.</summary>
    public Task Running { get; private set; } = Task.CompletedTask;

    /// <summary>Asks for a pass. May be called by any thread.</summary>
    public void Kick()
    {
        lock (Gate)
        {
            if (passes.Lifetime.IsCancellationRequested)
            {
                return;
            }

            if (IsBusy)
            {
                again = true;
                return;
            }

            IsBusy = true;
            Due = null;
            Running = Task.Run(RunAsync);
        }
    }

    private async Task RunAsync()
    {
        while (true)
        {
            DateTimeOffset? due = null;
            try
            {
                await owner.PassAsync(passes.Lifetime);
                due = owner.Due;
            }
            catch (OperationCanceledException) when (passes.Lifetime.IsCancellationRequested)
            {
                // The agent ends; what was begun is found by its record at the next start.
            }
#pragma warning disable CA1031 // The edge of one thing: whatever is wrong with it must not reach the others.
            catch (Exception e)
#pragma warning restore CA1031
            {
                passes.Failed(owner, e);
                due = passes.Time.GetUtcNow() + OwnerPasses<T>.RetryAfterFault;
            }

            bool isLookWanted;
            lock (Gate)
            {
                if (again && !passes.Lifetime.IsCancellationRequested)
                {
                    again = false;
                    continue;
                }

                IsBusy = false;
                Due = due;
                isLookWanted = passes.Rested(this);
            }

            if (isLookWanted)
            {
                passes.Woken();
            }

            return;
        }
    }
}
