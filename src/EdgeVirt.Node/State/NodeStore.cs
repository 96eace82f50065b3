using System.Collections.Concurrent;
using System.Text.Json;
using System.Threading.Channels;
using EdgeVirt.Contracts;
using Microsoft.Extensions.Logging;

namespace EdgeVirt.Node.State;

/// <summary>
/// The node's memory: what is desired and what was seen. The only door to the database. One owner task makes every
/// access; readers are answered from what it holds in memory, so that the database file need be open only while
/// something is written. Damage never reaches a caller: it is quarantined, and the store rebuilt.
/// </summary>
internal sealed partial class NodeStore : IAsyncDisposable
{
    private static readonly TimeSpan CloseAfter = TimeSpan.FromMilliseconds(500);

    private readonly Channel<Work> queue = Channel.CreateBounded<Work>(new BoundedChannelOptions(64) { SingleReader = true });
    private readonly ConcurrentDictionary<string, ObservedEntry> observed = new(StringComparer.Ordinal);
    private readonly List<Subscription> subscriptions = [];
    private readonly DocumentReader documents = new();
    private readonly StoreFiles files;
    private readonly TimeProvider time;
    private readonly ILogger<NodeStore> log;
    private readonly TaskCompletionSource loaded = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Task owner;
    private volatile DesiredSnapshot desired = DesiredSnapshot.None;

    public NodeStore(StoreFiles files, TimeProvider time, ILogger<NodeStore> log)
    {
        this.files = files;
        this.time = time;
        this.log = log;
        owner = Task.Run(OwnAsync);
    }

    /// <summary>The desired state in force.</summary>
    public async ValueTask<DesiredSnapshot> ReadDesiredAsync(CancellationToken ct)
    {
        await loaded.Task.WaitAsync(ct);
        return desired;
    }

    /// <summary>The documents of the revisions that are kept: the one in force first, then the one before it. Confidential.</summary>
    public async ValueTask<IReadOnlyList<NodeDocument>> ReadKeptAsync(CancellationToken ct)
    {
        IReadOnlyList<NodeDocument> kept = [];
        await RunAsync(() => kept = files.ReadKept(), ct);
        return kept;
    }

    /// <summary>Reads a document that came in.</summary>
    /// <exception cref="JsonException">It is none.</exception>
    public NodeDocument ReadDocument(ReadOnlySpan<byte> documentBytes) => documents.Read(documentBytes);

    /// <summary>
    /// Puts a revision in force: first as a durable file, then in the database. When this returns, no power cut and no
    /// damage to one file takes it away. The caller, which is the desired-state session alone, has checked it.
    /// </summary>
    /// <exception cref="IOException">The disk refused; the revision before it stays in force.</exception>
    public async ValueTask AcceptDesiredAsync(ulong revision, ReadOnlyMemory<byte> documentBytes, CancellationToken ct)
    {
        var document = documents.Read(documentBytes.Span);
        await RunAsync(
            () =>
            {
                desired = files.Accept(revision, documentBytes, document);
                Wake(StoreArea.Desired);
            },
            ct);
    }

    /// <summary>Everything seen, ordered by name.</summary>
    public async ValueTask<IReadOnlyList<ObservedWorkload>> ReadObservedAsync(CancellationToken ct)
    {
        await loaded.Task.WaitAsync(ct);
        return [.. observed.Values.Select(entry => entry.Workload).OrderBy(workload => workload.Name, StringComparer.Ordinal)];
    }

    /// <summary>
    /// Records what was seen of a workload; does nothing when it is what was seen before. A full disk does not fail it:
    /// the record is then held in memory alone and the node says so in its conditions.
    /// </summary>
    public async ValueTask WriteObservedAsync(ObservedWorkload workload, CancellationToken ct)
    {
        await loaded.Task.WaitAsync(ct);
        var entry = new ObservedEntry(workload, JsonSerializer.SerializeToUtf8Bytes(workload, DesiredStateJson.Default.ObservedWorkload));
        if (observed.TryGetValue(workload.Name, out var known) && known.Json.AsSpan().SequenceEqual(entry.Json))
        {
            return;
        }

        await RunAsync(
            () =>
            {
                observed[workload.Name] = entry;
                files.WriteObserved(new RecordKey(StateDatabase.Observed, workload.Name), entry.Json);
                Wake(StoreArea.Observed);
            },
            ct);
    }

    /// <summary>Forgets a workload.</summary>
    public async ValueTask RemoveObservedAsync(string name, CancellationToken ct)
    {
        await loaded.Task.WaitAsync(ct);
        if (!observed.ContainsKey(name))
        {
            return;
        }

        await RunAsync(
            () =>
            {
                observed.TryRemove(name, out _);
                files.WriteObserved(new RecordKey(StateDatabase.Observed, name), null);
                Wake(StoreArea.Observed);
            },
            ct);
    }

    /// <summary>What is remembered of sets of workloads. Confidential.</summary>
    public async ValueTask<IReadOnlyList<SettledSet>> ReadSetsAsync(CancellationToken ct)
    {
        await loaded.Task.WaitAsync(ct);
        IReadOnlyList<SettledSet> sets = [];
        await RunAsync(() => sets = files.ReadSets(), ct);
        return sets;
    }

    /// <summary>Remembers a set, durably.</summary>
    public async ValueTask WriteSetAsync(SettledSet set, CancellationToken ct) => await RunAsync(() => files.WriteSet(set), ct);

    /// <summary>Forgets a set.</summary>
    public async ValueTask RemoveSetAsync(string key, CancellationToken ct) => await RunAsync(() => files.RemoveSet(key), ct);

    /// <summary>Calls <paramref name="wake"/> after each change of an area, until disposed. It must return at once.</summary>
    public IDisposable Subscribe(StoreArea area, Action wake)
    {
        var subscription = new Subscription(this, area, wake);
        lock (subscriptions)
        {
            subscriptions.Add(subscription);
        }

        return subscription;
    }

    /// <summary>Completes when the owner has answered: the store is alive.</summary>
    public Task ProbeAsync(CancellationToken ct) => RunAsync(() => { }, ct);

    public async ValueTask DisposeAsync()
    {
        queue.Writer.TryComplete();
        await owner;
    }

    private void Wake(StoreArea area)
    {
        Subscription[] wanted;
        lock (subscriptions)
        {
            wanted = [.. subscriptions.Where(subscription => subscription.Area == area)];
        }

        foreach (var subscription in wanted)
        {
            subscription.Wake();
        }
    }

    private async Task RunAsync(Action action, CancellationToken ct)
    {
        var work = new Work(action);
        await queue.Writer.WriteAsync(work, ct);
        await work.Done.Task.WaitAsync(ct);
    }

    private async Task OwnAsync()
    {
        Load();
        while (await WaitForWorkAsync())
        {
            while (queue.Reader.TryRead(out var work))
            {
                work.Run();
            }
        }

        files.Dispose();
    }

    private void Load()
    {
        try
        {
            var content = files.Load();
            desired = content.Desired;
            foreach (var workload in content.Observed)
            {
                observed[workload.Name] = new ObservedEntry(
                    workload, JsonSerializer.SerializeToUtf8Bytes(workload, DesiredStateJson.Default.ObservedWorkload));
            }

            foreach (var machine in content.Machines)
            {
                machines[machine.Name] = machine;
            }
        }
#pragma warning disable CA1031 // A store that cannot load must not keep the node from its workloads.
        catch (Exception e)
#pragma warning restore CA1031
        {
            LogLoadFailed(e);
        }

        loaded.TrySetResult();
    }

    private async Task<bool> WaitForWorkAsync()
    {
        var wait = queue.Reader.WaitToReadAsync().AsTask();
        if (files.IsOpen)
        {
            try
            {
                return await wait.WaitAsync(CloseAfter, time);
            }
            catch (TimeoutException)
            {
                files.Close();
            }
        }

        return await wait;
    }

    [LoggerMessage(Level = LogLevel.Critical, Message = "The state could not be loaded; running containers are left alone until the hub sends the desired state")]
    private partial void LogLoadFailed(Exception e);

    private sealed record ObservedEntry(ObservedWorkload Workload, byte[] Json);

    private sealed class Work(Action action)
    {
        public TaskCompletionSource Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public void Run()
        {
            try
            {
                action();
                Done.SetResult();
            }
#pragma warning disable CA1031 // It is the caller's to see.
            catch (Exception e)
#pragma warning restore CA1031
            {
                Done.SetException(e);
            }
        }
    }

    private sealed class Subscription(NodeStore store, StoreArea area, Action wake) : IDisposable
    {
        public StoreArea Area => area;

        public void Wake() => wake();

        public void Dispose()
        {
            lock (store.subscriptions)
            {
                store.subscriptions.Remove(this);
            }
        }
    }
}
