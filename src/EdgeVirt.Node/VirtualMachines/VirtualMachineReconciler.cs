using System.Collections.Concurrent;
using EdgeVirt.Node.Reconcile;
using EdgeVirt.Node.State;
using EdgeVirt.Node.VirtualMachines.Disks;
using EdgeVirt.Node.VirtualMachines.Snapshots;
using Microsoft.Extensions.Logging;

namespace EdgeVirt.Node.VirtualMachines;

/// <summary>
/// Makes the virtual machines of the desired document run. A pass of the loop only hands out work: each machine has one owner,
/// owners run at the same time, and none waits for another.
/// </summary>
internal sealed partial class VirtualMachineReconciler(VmTools tools, BaseDisks bases) : IReconciler, IAsyncDisposable
{
    private static readonly TimeSpan LookWhileGoingDown = TimeSpan.FromMilliseconds(100);

    private readonly ConcurrentDictionary<string, OwnerWork<VmOwner>> works = new();
    private readonly CancellationTokenSource lifetime = new();
    private OwnerPasses<VmOwner>? passes;
    private DesiredSnapshot? applied;
    private bool reclaimed;
    private bool recovered;
    private volatile bool goesDown;
    private int disposed;

    private OwnerPasses<VmOwner> Passes => passes ??= new(
        tools.Time, (owner, fault) => LogFault(tools.Log, owner.Name, OwnerPasses<VmOwner>.RetryAfterFault.TotalSeconds, fault), _ => true, () => Woken?.Invoke(), lifetime.Token);

    public event Action? Woken;

    public string Name => "virtual machines";

    public IReadOnlyList<StoreArea> Reads { get; } = [StoreArea.Desired];

    public ValueTask ReclaimAsync(CancellationToken ct)
    {
        if (!reclaimed)
        {
            works.Clear();
            tools.Cpus.Changed += KickAll;
            tools.Records.Load();
            foreach (var record in tools.Records.All)
            {
                WorkOf(record.Name).Owner.Adopt(record);
            }

            reclaimed = true;
        }

        return ValueTask.CompletedTask;
    }

    public async ValueTask<TimeSpan?> ReconcileAsync(CancellationToken ct)
    {
        if (!recovered)
        {
            await ReclaimAsync(ct);
            foreach (var observed in await tools.Store.ReadObservedMachinesAsync(ct))
            {
                WorkOf(observed.Name).Owner.Adopt(observed);
            }

            recovered = true;
        }

        var desired = await tools.Store.ReadDesiredAsync(ct);
        // Before the first accepted document nothing is touched, nor while it may be one from which an older agent dropped the machines.
        if (desired is not { Document: { } document, IsWhole: true })
        {
            return null;
        }

        if (!ReferenceEquals(desired, applied))
        {
            var wanted = (document.VirtualMachines ?? []).ToDictionary(machine => machine.Name);
            foreach (var name in wanted.Keys.Union(works.Keys).ToList())
            {
                var work = WorkOf(name);
                work.Owner.Order = wanted.GetValueOrDefault(name) is { } machine ? new VmOrder(machine, document) : null;
                work.Kick();
            }

            applied = desired;
        }

        var now = tools.Time.GetUtcNow();
        TimeSpan? next = null;
        foreach (var (name, work) in works)
        {
            if (work.IsBusy)
            {
                continue;
            }

            if (work.Owner.IsGone)
            {
                works.TryRemove(name, out _);
                await work.Owner.DisposeAsync();
                CollectGarbage();
            }
            else if (work.Due <= now)
            {
                work.Kick();
            }
            else if (work.Due is { } due && (next is null || due - now < next))
            {
                next = due - now;
            }
        }

        return next;
    }

    public async ValueTask DisposeAsync()
    {
        // The container has it under two types, and disposes of it for each.
        if (Interlocked.Exchange(ref disposed, 1) != 0)
        {
            return;
        }

        tools.Cpus.Changed -= KickAll;
        await lifetime.CancelAsync();
        foreach (var work in works.Values)
        {
            await work.Running;
            // The machines themselves go on.
            await work.Owner.DisposeAsync();
        }

        lifetime.Dispose();
    }

    /// <summary>The owner of a machine, to ask something of it; see <see cref="Ask"/>.</summary>
    /// <exception cref="SnapshotRefusedException">There is no such machine, or the agent does not know yet what is to run.</exception>
    public VmOwner Find(string name) =>
        applied is null ? throw new SnapshotRefusedException("the agent is starting and does not know yet what is to run here; try again in a moment")
        : works.TryGetValue(name, out var work) ? work.Owner
        : throw new SnapshotRefusedException($"there is no virtual machine '{name}' on this node", isMissing: true);

    /// <summary>Asks something of a machine's owner, and waits for it.</summary>
    /// <exception cref="SnapshotRefusedException">There is no such machine, or it refuses.</exception>
    public async Task<T> AskAsync<T>(string machine, Func<VmOwner, Task<T>> ask, CancellationToken ct)
    {
        var owner = Find(machine);
        var asked = ask(owner);
        Ask(owner);
        try
        {
            return await asked.WaitAsync(ct);
        }
        catch (OperationCanceledException)
        {
            // What is read holds files until it is disposed of, also when nobody waits for it any more.
            _ = LetGoAsync(asked);
            throw;
        }

        static async Task LetGoAsync(Task<T> late)
        {
            await ((Task)late).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (late.IsCompletedSuccessfully && await late is IDisposable held)
            {
                held.Dispose();
            }
        }
    }

    /// <summary>Has a machine's owner look at what was asked of it.</summary>
    public void Ask(VmOwner owner) => OnWoken(owner.Name);

    /// <summary>The node goes down: ends all machines, each as it says. Nothing is started afterwards.</summary>
    public async Task GoDownAsync(CancellationToken ct)
    {
        goesDown = true;
        foreach (var work in works.Values)
        {
            work.Owner.NodeGoesDown = true;
            work.Kick();
        }

        while (works.Values.Any(work => !work.Owner.IsOff))
        {
            foreach (var work in works.Values.Where(work => work.Due <= tools.Time.GetUtcNow()))
            {
                work.Kick();
            }

            await Task.Delay(LookWhileGoingDown, tools.Time, ct);
        }
    }

    /// <summary>Completes when no owner is at work. For tests.</summary>
    internal async Task SettledAsync()
    {
        while (works.Values.FirstOrDefault(work => work.IsBusy) is { } busy)
        {
            await busy.Running;
        }
    }

    // Not while a machine gets ready: it may have taken in a disk that it does not use yet.
    private void CollectGarbage()
    {
        try
        {
            if (!works.Values.Any(work => work.IsBusy))
            {
                bases.CollectGarbage(tools.Records.All.SelectMany(record => MachineDisks.BasesOf(VmPaths.Of(tools.Options, record.Id))).ToHashSet());
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or DiskUnavailableException)
        {
            LogGarbageFailed(tools.Log, e);
        }
    }

    private OwnerWork<VmOwner> WorkOf(string name) => works.GetOrAdd(name, _ =>
    {
        var owner = new VmOwner(name, tools) { NodeGoesDown = goesDown, CloneAsync = new DiskClones(this, tools).OpenAsync, TakenByOthers = () => works.Where(pair => pair.Key != name).Sum(pair => pair.Value.Owner.MemoryBytes) };
        owner.Woken += OnWoken;
        return new OwnerWork<VmOwner>(owner, Passes);
    });

    private void OnWoken(string name)
    {
        if (applied is not null && works.TryGetValue(name, out var work))
        {
            work.Kick();
        }
    }

    private void KickAll()
    {
        foreach (var name in works.Keys)
        {
            OnWoken(name);
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "Virtual machine {Name} could not be carried on; again in {Seconds} s")]
    private static partial void LogFault(ILogger log, string name, double seconds, Exception e);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Disks that no machine begins from could not be removed")]
    private static partial void LogGarbageFailed(ILogger log, Exception e);
}
