using System.Collections.Concurrent;
using EdgeVirt.Node.Containers.Images;
using EdgeVirt.Node.Containers.Probes;
using EdgeVirt.Node.Containers.Sets;
using EdgeVirt.Node.Reconcile;
using EdgeVirt.Node.State;
using Microsoft.Extensions.Logging;

namespace EdgeVirt.Node.Containers;

/// <summary>
/// Makes the workloads of the desired document run. A pass of the loop only hands out work: each workload has one
/// owner, owners run at the same time, and none waits for another.
/// </summary>
internal sealed partial class WorkloadReconciler(
    NodeStore store, RecordStore records, IContainerRuntime runtime, IContainerImages images, TimeProvider time, ILogger<WorkloadReconciler> log)
    : IReconciler, IAsyncDisposable
{
    private static readonly TimeSpan GarbageInterval = TimeSpan.FromMinutes(10);

    private readonly ConcurrentDictionary<string, OwnerWork<WorkloadOwner>> works = new();
    private readonly ConcurrentDictionary<string, OwnerWork<WorkloadOwner>> waiting = new();
    private readonly WorkloadSets sets = new(time);
    private readonly ContainerProbes probes = new(runtime, time, log);
    private readonly PostStartHooks hooks = new(runtime, time);
    private readonly CancellationTokenSource lifetime = new();
    private WorkloadTools? shared;
    private OwnerPasses<WorkloadOwner>? passes;
    private DesiredSnapshot? applied;
    private Task garbage = Task.CompletedTask;
    private DateTimeOffset? lastGarbage;
    private bool recovered;
    private bool garbageWanted;

    private WorkloadTools Tools => shared ??= new(store, records, runtime, images, probes, hooks, new StartOrder(sets.Find), time, log);

    private OwnerPasses<WorkloadOwner> Passes => passes ??= new(
        time, (owner, fault) => LogFault(owner.Name, OwnerPasses<WorkloadOwner>.RetryAfterFault.TotalSeconds, fault), Rested, () => Woken?.Invoke(), lifetime.Token);

    public event Action? Woken;

    public string Name => "workloads";

    public IReadOnlyList<StoreArea> Reads { get; } = [StoreArea.Desired];

    /// <summary>Which workload uses the image of which digest, or is about to.</summary>
    public IEnumerable<(string Workload, string Digest)> ImagesInUse =>
        works.SelectMany(pair => pair.Value.Owner.ImagesInUse.Select(digest => (pair.Key, digest)));

    /// <summary>Has images collected that nobody uses at the next pass at which nothing is at work, and asks for that pass. May be called by any thread.</summary>
    public void CollectGarbage()
    {
        Volatile.Write(ref garbageWanted, true);
        Woken?.Invoke();
    }

    public async ValueTask<TimeSpan?> ReconcileAsync(CancellationToken ct)
    {
        if (!recovered)
        {
            await RecoverAsync(ct);
            recovered = true;
        }

        var desired = await store.ReadDesiredAsync(ct);
        if (desired.Document is null)
        {
            return null;
        }

        if (!ReferenceEquals(desired, applied))
        {
            Apply(desired);
            applied = desired;
        }

        var now = time.GetUtcNow();
        CollectGarbage(now);
        TimeSpan? next = null;
        // Only those with something ahead, so that a pass costs the same however many rest.
        foreach (var (name, work) in waiting)
        {
            if (work.Owner.IsGone && !work.IsBusy)
            {
                works.TryRemove(name, out _);
                waiting.TryRemove(name, out _);
                await ForgetSetAsync(work.Owner.Set, ct);
            }
            else if (work.Due is not { } due)
            {
                Rest(name, work);
            }
            else if (due <= now)
            {
                work.Kick();
            }
            else if (next is null || due - now < next)
            {
                next = due - now;
            }
        }

        return next;
    }

    public async ValueTask DisposeAsync()
    {
        runtime.Ended -= OnChanged;
        probes.Changed -= OnChanged;
        hooks.Ended -= OnChanged;
        await lifetime.CancelAsync();
        await probes.DisposeAsync();
        await hooks.DisposeAsync();
        foreach (var work in works.Values)
        {
            await work.Running;
            await work.Owner.EndStagingAsync();
        }

        await garbage.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        lifetime.Dispose();
    }

    /// <summary>Completes when no owner is at work. For tests and benches.</summary>
    internal async Task SettledAsync()
    {
        while (works.Values.FirstOrDefault(work => work.IsBusy) is { } busy)
        {
            await busy.Running;
        }
    }

    private async Task RecoverAsync(CancellationToken ct)
    {
        works.Clear();
        records.Load();
        await runtime.RecoverAsync(ct);
        foreach (var sandbox in records.Sandboxes)
        {
            WorkOf(sandbox.Workload).Owner.Adopt(sandbox);
        }

        foreach (var container in records.Containers)
        {
            WorkOf(container.Workload).Owner.Adopt(container);
        }

        foreach (var observed in await store.ReadObservedAsync(ct))
        {
            WorkOf(observed.Name).Owner.Adopt(observed);
        }

        sets.Adopt(await store.ReadSetsAsync(ct));
        runtime.Ended += OnChanged;
        probes.Changed += OnChanged;
        hooks.Ended += OnChanged;
        images.MakeRoomBy(NeededImagesAsync);
    }

    private void Apply(DesiredSnapshot desired)
    {
        // At first also what is neither wanted nor remembered, but lies here.
        var lying = applied is null ? works.Keys.ToHashSet() : [];
        foreach (var (name, set) in sets.Apply(desired.Document!, name => works.GetValueOrDefault(name)?.Owner.Running))
        {
            lying.Remove(name);
            var work = WorkOf(name);
            work.Owner.Set = set;
            work.Kick();
        }

        foreach (var name in lying)
        {
            WorkOf(name).Kick();
        }
    }

    private async Task ForgetSetAsync(WorkloadSet? set, CancellationToken ct)
    {
        if (set is not null && !works.Values.Any(work => work.Owner.Set == set) && sets.TryForget(set))
        {
            await store.RemoveSetAsync(set.Key, ct);
        }
    }

    private OwnerWork<WorkloadOwner> WorkOf(string name) => works.GetOrAdd(name, _ =>
    {
        var owner = new WorkloadOwner(name, Tools);
        owner.Woken += OnWoken;
        return new OwnerWork<WorkloadOwner>(owner, Passes);
    });

    private void OnWoken(string name)
    {
        var work = WorkOf(name);
        // A member that was gone already may have to come back with its set.
        work.Owner.Set ??= sets.Find(name);
        work.Kick();
    }

    private void OnChanged(string containerId)
    {
        // Before the first accepted document nothing is touched, not even restarted.
        if (applied is not null && records.FindContainer(containerId) is { } record && works.TryGetValue(record.Workload, out var work))
        {
            work.Kick();
        }
    }

    private void Rest(string name, OwnerWork<WorkloadOwner> work)
    {
        lock (work.Gate)
        {
            if (work.Due is null && !work.Owner.IsGone)
            {
                waiting.TryRemove(name, out _);
            }
        }
    }

    // Only who has something ahead is looked at again.
    private bool Rested(OwnerWork<WorkloadOwner> work)
    {
        var isWaiting = work.Due is not null || work.Owner.IsGone;
        if (isWaiting)
        {
            waiting[work.Owner.Name] = work;
        }

        return isWaiting;
    }

    private void CollectGarbage(DateTimeOffset now)
    {
        if ((lastGarbage is null || now - lastGarbage >= GarbageInterval || Volatile.Read(ref garbageWanted)) && garbage.IsCompleted && !works.Any(pair => pair.Value.IsBusy))
        {
            lastGarbage = now;
            Volatile.Write(ref garbageWanted, false);
            garbage = Task.Run(async () =>
            {
                try
                {
                    await images.CollectGarbageAsync(await NeededImagesAsync(lifetime.Token), lifetime.Token);
                }
                catch (Exception e) when (e is IOException or UnauthorizedAccessException or OperationCanceledException)
                {
                    LogGarbageFailed(e);
                }
            });
        }
    }

    /// <summary>Images that must stay. May be called by any thread.</summary>
    private async Task<ImagesInUse> NeededImagesAsync(CancellationToken ct)
    {
        // The revision before too: the hub may go back to it, and the link may be gone by then.
        var named = WorkloadImages.NamedBy(await store.ReadKeptAsync(ct));
        return new ImagesInUse(works.Values.SelectMany(work => work.Owner.ImagesInUse).Concat(sets.SettledDigests).ToHashSet(), named);
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "Workload {Workload} could not be carried on; again in {Seconds} s")]
    private partial void LogFault(string workload, double seconds, Exception e);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Images that nobody uses could not be removed")]
    private partial void LogGarbageFailed(Exception e);
}
