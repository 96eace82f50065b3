using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Node.Containers.Probes;

/// <summary>
/// Runs the postStart hooks of runs that have begun, each once for an agent and beside the owner's passes, so that a hook that
/// never ends keeps nobody from stopping its container. Safe for use by several threads.
/// </summary>
internal sealed class PostStartHooks(IContainerRuntime runtime, TimeProvider time) : IAsyncDisposable
{
    private readonly Lock gate = new();
    private readonly Dictionary<string, Entry> entries = [];
    private readonly List<Task> running = [];
    private bool isEnding;

    /// <summary>Raised with a container's id when its hook has ended, on any thread.</summary>
    public event Action<string>? Ended;

    /// <summary>How a hook ended; null: it has not.</summary>
    public ActionAnswer? Find(string id)
    {
        lock (gate)
        {
            return entries.GetValueOrDefault(id)?.Answer;
        }
    }

    /// <summary>Begins the hook of a run that goes on; one that was begun is not begun again, and a run without one has none.</summary>
    public void Begin(ContainerRecord container)
    {
        lock (gate)
        {
            if (!isEnding && container.PostStart is { } hook && !entries.ContainsKey(container.Id))
            {
                var entry = entries[container.Id] = new Entry(new CancellationTokenSource());
                running.RemoveAll(task => task.IsCompleted);
                running.Add(Task.Run(() => RunAsync(entry, container, hook), CancellationToken.None));
            }
        }
    }

    /// <summary>Gives a hook up: its run has ended, or is to.</summary>
    public void Forget(string id)
    {
        Entry? entry;
        lock (gate)
        {
            entries.Remove(id, out entry);
        }

        entry?.Cancel.Cancel();
    }

    public async ValueTask DisposeAsync()
    {
        List<Entry> rest;
        List<Task> tasks;
        lock (gate)
        {
            isEnding = true;
            rest = [.. entries.Values];
            tasks = [.. running];
        }

        foreach (var entry in rest)
        {
            await entry.Cancel.CancelAsync();
        }

        await Task.WhenAll(tasks);
    }

    private async Task RunAsync(Entry entry, ContainerRecord container, LifecycleHandler hook)
    {
        ActionAnswer answer;
        try
        {
            answer = await AnswerAsync(container, hook, entry.Cancel.Token);
        }
        catch (OperationCanceledException)
        {
            return;
        }
#pragma warning disable CA1031 // The edge of one hook: whatever goes wrong is its failure.
        catch (Exception e)
#pragma warning restore CA1031
        {
            answer = ActionAnswer.Failed(e.Message);
        }

        lock (gate)
        {
            entry.Answer = answer;
        }

        Ended?.Invoke(container.Id);
    }

    private async Task<ActionAnswer> AnswerAsync(ContainerRecord container, LifecycleHandler hook, CancellationToken ct)
    {
        if (hook.Sleep is { } sleep)
        {
            await Task.Delay(TimeSpan.FromSeconds(sleep.Seconds), time, ct);
            return ActionAnswer.Success;
        }

        return await runtime.ActAsync(container, ContainerAction.Of(hook), Timeout.InfiniteTimeSpan, ct);
    }

    private sealed class Entry(CancellationTokenSource cancel)
    {
        public CancellationTokenSource Cancel => cancel;

        public ActionAnswer? Answer { get; set; }
    }
}
