using System.Runtime.ExceptionServices;
using EdgeVirt.Node.Containers.Images.Registries;

namespace EdgeVirt.Node.Containers.Images;

/// <summary>
/// Fetches the layers of one pull side by side, in their order and never more of them than there is room for. A layer keeps its
/// room until it is unpacked and its compressed bytes are gone, so that both memory and disk are bounded by the room.
/// The first failure stops them all; what arrived stays for the next attempt.
/// </summary>
internal sealed class LayerQueue : IAsyncDisposable
{
    private readonly IImageSource _source;
    private readonly Action<long, long> _progress;
    private readonly CancellationTokenSource _stop;
    private readonly CancellationToken _ct;
    private readonly SemaphoreSlim _room;
    private readonly Dictionary<string, Fetch> _fetches = [];
    private readonly Task _feeding;
    private Exception? _failure;

    /// <param name="source">Where they come from.</param>
    /// <param name="layers">All that is missing, lowest first; content that is wanted twice is named twice and fetched once.</param>
    /// <param name="room">How many at a time.</param>
    /// <param name="progress">Hears the bytes that are there and those that there will be.</param>
    /// <param name="ct">Gives up.</param>
    public LayerQueue(IImageSource source, IReadOnlyList<Descriptor> layers, int room, Action<long, long> progress, CancellationToken ct)
    {
        (_source, _progress, _ct) = (source, progress, ct);
        _stop = CancellationTokenSource.CreateLinkedTokenSource(ct);
        _room = new SemaphoreSlim(room);
        foreach (var layer in layers)
        {
            if (!_fetches.TryAdd(layer.Digest!, new Fetch(layer)))
            {
                _fetches[layer.Digest!].Uses++;
            }
        }

        _feeding = FeedAsync(layers.DistinctBy(layer => layer.Digest).Select(layer => _fetches[layer.Digest!]).ToList());
    }

    /// <summary>The layer's compressed bytes, once all are there.</summary>
    public async Task<Stream> OpenAsync(Descriptor layer)
    {
        try
        {
            await _fetches[layer.Digest!].There.Task;
            return _source.OpenLayer(layer);
        }
        catch (OperationCanceledException) when (_failure is { } failure && !_ct.IsCancellationRequested)
        {
            ExceptionDispatchInfo.Throw(failure);
            throw;
        }
    }

    /// <summary>Fetches a layer again whose bytes turned out to be damaged.</summary>
    public Task AgainAsync(Descriptor layer) => _source.FetchLayerAsync(layer, _ => { }, _stop.Token);

    /// <summary>The layer is unpacked; the last of its uses gives its room to another.</summary>
    public void Done(Descriptor layer)
    {
        if (--_fetches[layer.Digest!].Uses == 0)
        {
            _source.DropLayer(layer);
            _room.Release();
        }
    }

    /// <summary>Stops what is under way and waits for its end.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _feeding;
        foreach (var fetch in _fetches.Values)
        {
            await ((Task)fetch.There.Task).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        _stop.Dispose();
        _room.Dispose();
    }

    private async Task FeedAsync(List<Fetch> fetches)
    {
        foreach (var fetch in fetches)
        {
            await _room.WaitAsync(_stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (_stop.IsCancellationRequested)
            {
                fetch.There.TrySetCanceled(_stop.Token);
            }
            else
            {
                _ = Task.Run(() => RunAsync(fetch));
            }
        }
    }

    private async Task RunAsync(Fetch fetch)
    {
        try
        {
            await _source.FetchLayerAsync(fetch.Layer, there => Report(fetch, there), _stop.Token);
            fetch.There.TrySetResult();
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            fetch.There.TrySetCanceled(_stop.Token);
        }
#pragma warning disable CA1031 // Thrown again where the layer is waited for.
        catch (Exception failed)
#pragma warning restore CA1031
        {
            Interlocked.CompareExchange(ref _failure, failed, null);
            await _stop.CancelAsync();
            fetch.There.TrySetException(failed);
        }
    }

    private void Report(Fetch fetch, long there)
    {
        fetch.Bytes = there;
        _progress(_fetches.Values.Sum(one => one.Bytes), _fetches.Values.Sum(one => one.Layer.Size));
    }

    private sealed class Fetch(Descriptor layer)
    {
        private long _bytes;

        public Descriptor Layer => layer;

        public TaskCompletionSource There { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public int Uses { get; set; } = 1;

        public long Bytes
        {
            get => Interlocked.Read(ref _bytes);
            set => Interlocked.Exchange(ref _bytes, value);
        }
    }
}
