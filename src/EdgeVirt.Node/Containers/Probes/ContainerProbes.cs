using EdgeVirt.Contracts.Resources;
using Microsoft.Extensions.Logging;

namespace EdgeVirt.Node.Containers.Probes;

/// <summary>
/// Asks the probes of all running containers when they are due: one timer for the node, a few at the same time, none twice
/// at once. Owners of workloads say what runs and are told when a verdict changes.
/// </summary>
internal sealed partial class ContainerProbes : IAsyncDisposable
{
    private const int AtOnce = 4;

    private readonly IContainerRuntime runtime;
    private readonly TimeProvider time;
    private readonly ILogger log;
    private readonly long origin;
    private readonly Lock gate = new();
    private readonly Dictionary<string, Entry> entries = [];
    private readonly SemaphoreSlim slots = new(AtOnce, AtOnce);
    private readonly CancellationTokenSource lifetime = new();
    private readonly ITimer timer;

    public ContainerProbes(IContainerRuntime runtime, TimeProvider time, ILogger log)
    {
        (this.runtime, this.time, this.log) = (runtime, time, log);
        origin = time.GetTimestamp();
        timer = time.CreateTimer(_ => AskWhatIsDue(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Raised with a container's id when <see cref="Find"/> has something new, on any thread.</summary>
    public event Action<string>? Changed;

    private TimeSpan Now => time.GetElapsedTime(origin);

    /// <summary>How far a run's probes have come; null: it has none, or is not watched.</summary>
    public ProbedRun? Find(string id)
    {
        lock (gate)
        {
            return entries.GetValueOrDefault(id)?.Run;
        }
    }

    /// <summary>Begins with a run that goes on; one that is watched already is not begun again.</summary>
    public void Watch(ContainerRecord container, ContainerSpec spec, bool wasReady)
    {
        lock (gate)
        {
            if (lifetime.IsCancellationRequested || entries.ContainsKey(container.Id))
            {
                return;
            }

            // A clock that was set does no more than skip or repeat one initial delay.
            var age = time.GetUtcNow() - (container.StartedAt ?? time.GetUtcNow());
            if (ProbedRun.Of(spec, Now, age > TimeSpan.Zero ? age : TimeSpan.Zero, wasReady) is { } run)
            {
                entries[container.Id] = new Entry(container, run);
                Arm();
            }
        }
    }

    public void Forget(string id)
    {
        lock (gate)
        {
            if (entries.Remove(id))
            {
                Arm();
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        await lifetime.CancelAsync();
        await timer.DisposeAsync();
        for (var i = 0; i < AtOnce; i++)
        {
            await slots.WaitAsync(CancellationToken.None);
        }
    }

    private void AskWhatIsDue()
    {
        lock (gate)
        {
            var now = Now;
            foreach (var entry in entries.Values)
            {
                foreach (var (kind, state) in entry.Run.Active)
                {
                    if (state.DueAt <= now && entry.Asked.Add(kind))
                    {
                        _ = Task.Run(() => AskAsync(entry, kind, state.Probe), CancellationToken.None);
                    }
                }
            }

            Arm();
        }
    }

    // Called with the gate held.
    private void Arm()
    {
        TimeSpan? next = null;
        foreach (var entry in entries.Values)
        {
            foreach (var (kind, state) in entry.Run.Active)
            {
                if (!entry.Asked.Contains(kind) && (next is null || state.DueAt < next))
                {
                    next = state.DueAt;
                }
            }
        }

        if (!lifetime.IsCancellationRequested)
        {
            var wait = next - Now;
            timer.Change(wait is null ? Timeout.InfiniteTimeSpan : wait > TimeSpan.Zero ? wait.Value : TimeSpan.Zero, Timeout.InfiniteTimeSpan);
        }
    }

    private async Task AskAsync(Entry entry, ProbeKind kind, Probe probe)
    {
        ActionAnswer answer;
        try
        {
            await slots.WaitAsync(lifetime.Token);
            try
            {
                answer = await runtime.ActAsync(entry.Container, ContainerAction.Of(probe), TimeSpan.FromSeconds(probe.TimeoutSeconds ?? 1), lifetime.Token);
            }
            finally
            {
                slots.Release();
            }
        }
        catch (OperationCanceledException)
        {
            return;
        }
#pragma warning disable CA1031 // The edge of one probe: whatever goes wrong is its answer.
        catch (Exception e)
#pragma warning restore CA1031
        {
            answer = ActionAnswer.Failed(e.Message);
        }

        Take(entry, kind, answer);
    }

    private void Take(Entry entry, ProbeKind kind, ActionAnswer answer)
    {
        var id = entry.Container.Id;
        lock (gate)
        {
            entry.Asked.Remove(kind);
            if (entries.GetValueOrDefault(id) != entry)
            {
                return;
            }

            var before = entry.Run;
            entry.Run = before.After(kind, answer, Now);
            Arm();
            if (entry.Run.Complaint == before.Complaint)
            {
                return;
            }

            LogChanged(id, kind, entry.Run.Complaint ?? "is ready");
        }

        Changed?.Invoke(id);
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Container {Id}, by its {Kind} probe, {Verdict}")]
    private partial void LogChanged(string id, ProbeKind kind, string verdict);

    private sealed class Entry(ContainerRecord container, ProbedRun run)
    {
        public ContainerRecord Container => container;

        public ProbedRun Run { get; set; } = run;

        /// <summary>Asked, and not answered yet.</summary>
        public HashSet<ProbeKind> Asked { get; } = [];
    }
}
