using System.Runtime.CompilerServices;
using EdgeVirt.Contracts.Api;
using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Hub.Resources;

/// <content>Following what happens: by wake-ups, by reading the change log, by watching it.</content>
internal sealed partial class ResourceStore
{
    private const int WatchBatch = 256;
    private static readonly TimeSpan BookmarkInterval = TimeSpan.FromSeconds(30);

    private readonly Lock subscribing = new();
    private Action[] subscribers = [];

    /// <summary>Changes after a version, oldest first and at most <paramref name="limit"/>, and the version up to which there are no others.</summary>
    /// <exception cref="GoneException">They are no longer kept.</exception>
    public Task<(IReadOnlyList<Change> Changes, long UpTo)> ReadChangesAsync(ResourceKind? kind, long fromVersion, int limit, CancellationToken ct) =>
        database.ReadAsync<(IReadOnlyList<Change>, long)>(
            connection =>
            {
                var newest = ResourceTables.Version(connection);
                if (fromVersion < ResourceTables.Trimmed(connection) || fromVersion > newest)
                {
                    throw new GoneException($"Changes after resourceVersion {fromVersion} are not kept. List again and watch from the version of that list.");
                }

                var changes = ResourceTables.Changes(connection, kind?.Name, fromVersion, limit);
                return (changes, changes.Count == limit ? changes[^1].Version : newest);
            },
            ct);

    /// <summary>Every change after a version as it happens, with a bookmark when nothing did for half a minute.</summary>
    /// <exception cref="GoneException">Changes after that version are no longer kept: list again.</exception>
    public IAsyncEnumerable<WatchEvent> WatchAsync(ResourceKind? kind, long fromVersion, CancellationToken ct) =>
        WatchAsync(kind, fromVersion, null, ct);

    /// <summary>As above, for resources that carry some labels: one that comes to carry them is Added, one that no longer does Deleted.</summary>
    public async IAsyncEnumerable<WatchEvent> WatchAsync(
        ResourceKind? kind, long fromVersion, IReadOnlyDictionary<string, string>? labels, [EnumeratorCancellation] CancellationToken ct)
    {
        var signal = new Signal();
        using var subscription = Subscribe(signal.Set);
        for (var position = fromVersion; ;)
        {
            var (changes, upTo) = await ReadChangesAsync(kind, position, WatchBatch, ct);
            foreach (var change in changes)
            {
                if (TypeFor(change, labels) is { } type)
                {
                    yield return new WatchEvent { Type = type, ResourceVersion = change.Version, Resource = change.Resource };
                }
            }

            position = upTo;
            if (changes.Count < WatchBatch && !await signal.WaitAsync(BookmarkInterval, time, ct))
            {
                yield return new WatchEvent { Type = WatchEventType.Bookmark, ResourceVersion = position };
            }
        }
    }

    /// <summary>Calls <paramref name="wake"/> after each change, until disposed. It must be quick and must not throw.</summary>
    public IDisposable Subscribe(Action wake)
    {
        lock (subscribing)
        {
            subscribers = [.. subscribers, wake];
        }

        return new Subscription(this, wake);
    }

    private static WatchEventType? TypeFor(Change change, IReadOnlyDictionary<string, string>? labels)
    {
        var before = change.Type != WatchEventType.Added && Labels.Match(labels, change.LabelsBefore);
        var after = change.Type != WatchEventType.Deleted && Labels.Match(labels, change.Resource.Metadata.Labels);
        return (before, after) switch
        {
            (false, true) => WatchEventType.Added,
            (true, true) => WatchEventType.Modified,
            (true, false) => WatchEventType.Deleted,
            (false, false) => null,
        };
    }

    private void Wake()
    {
        foreach (var wake in Volatile.Read(ref subscribers))
        {
            wake();
        }
    }

    private sealed class Subscription(ResourceStore store, Action wake) : IDisposable
    {
        public void Dispose()
        {
            lock (store.subscribing)
            {
                var index = Array.IndexOf(store.subscribers, wake);
                store.subscribers = index < 0 ? store.subscribers : [.. store.subscribers[..index], .. store.subscribers[(index + 1)..]];
            }
        }
    }
}
