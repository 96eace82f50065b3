using System.Collections.Concurrent;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.Containers.Images.Registries;
using Microsoft.Extensions.Logging;

namespace EdgeVirt.Node.Containers.Images.Deltas;

/// <summary>
/// A registry of which only that is fetched which the node lacks. Layers that cannot be put together are fetched whole, and the log
/// says which, why and how many bytes; or, where the workload wants it so, the pull is refused before a byte of them came.
/// </summary>
internal sealed partial class DeltaSource(IRangedSource source, DeltaPlanner planner, PullTerms terms, PullBudget budget, ILogger logger) : IImageSource
{
    /// <summary>Smaller layers are fetched whole, always: what a delta saves of them its requests cost.</summary>
    private const long LeastLayerBytes = 64 << 10;

    private readonly ConcurrentDictionary<string, DeltaLayer> _deltas = [];

    /// <summary>Chain ids of the layers that others are put together from.</summary>
    public IEnumerable<string> Sources => _deltas.Values.SelectMany(delta => delta.Sources).Distinct();

    /// <summary>Looks which layers can be put together, which costs their tables of contents.</summary>
    /// <exception cref="ImagePullException">One cannot, and the workload wants no layer whole; or the registry cannot be reached.</exception>
    public async Task PlanAsync(IEnumerable<Descriptor> missing, CancellationToken ct)
    {
        foreach (var layer in missing.DistinctBy(layer => layer.Digest).Where(layer => layer.Size >= LeastLayerBytes && planner.RestOf(layer) > 0))
        {
            try
            {
                var delta = await planner.PlanAsync(source, layer, ct);
                _deltas[layer.Digest!] = delta;
                LogPlanned(logger, layer.Digest!, delta.MissingBytes, layer.Size);
            }
            catch (NoDeltaException none)
            {
                Whole(layer, none.Message);
            }
        }
    }

    /// <summary>What a layer will cost on the link, bytes.</summary>
    public long MissingBytes(Descriptor layer) => _deltas.TryGetValue(layer.Digest!, out var delta) ? delta.MissingBytes : planner.RestOf(layer);

    /// <summary>What was put together is not the layer: next all its headers are fetched, and after that the layer whole.</summary>
    public void Distrust(Descriptor layer, string problem)
    {
        if (_deltas.TryGetValue(layer.Digest!, out var delta) && delta.FetchHeaders())
        {
            LogHeaders(logger, layer.Digest!, delta.MissingBytes, problem);
            budget.Check(delta.MissingBytes);
        }
        else
        {
            Whole(layer, $"what was put together is another one ({problem})");
        }
    }

    public Task<byte[]> FetchManifestAsync(string tagOrDigest, CancellationToken ct) => source.FetchManifestAsync(tagOrDigest, ct);

    public Task<byte[]> FetchConfigAsync(Descriptor descriptor, CancellationToken ct) => source.FetchConfigAsync(descriptor, ct);

    public async Task FetchLayerAsync(Descriptor descriptor, Action<long> progress, CancellationToken ct)
    {
        if (_deltas.TryGetValue(descriptor.Digest!, out var delta))
        {
            try
            {
                var ranges = delta.Ranges();
                var there = descriptor.Size - delta.Spool.MissingBytes(ranges);
                progress(there);
                await source.FetchRangesAsync(descriptor, ranges, delta.Spool, came => progress(there += came), ct);
                return;
            }
            catch (NoDeltaException none)
            {
                Whole(descriptor, none.Message);
            }
        }

        await source.FetchLayerAsync(descriptor, progress, ct);
    }

    public Stream OpenLayer(Descriptor descriptor) => _deltas.TryGetValue(descriptor.Digest!, out var delta) ? delta.Open() : source.OpenLayer(descriptor);

    public void DropLayer(Descriptor descriptor)
    {
        Forget(descriptor);
        source.DropLayer(descriptor);
    }

    /// <summary>Ranges that are here stay for the next attempt.</summary>
    public void Dispose()
    {
        foreach (var delta in _deltas.Values)
        {
            delta.Dispose();
        }

        source.Dispose();
    }

    /// <summary>A layer is fetched whole: in the open, within the budget, or not at all.</summary>
    private void Whole(Descriptor layer, string reason)
    {
        var wasPlanned = Forget(layer);
        var rest = planner.RestOf(layer);
        if (terms.Delta == ImageDeltaPolicy.Required)
        {
            throw new ImagePullException($"Pull refused: imagePull.delta is Required, and layer {layer.Digest} would be fetched whole, {rest} bytes, because {reason}. "
                + "Set it to Preferred, or bring the image to the board by 'edgevirt image import'.") { IsLocal = true, IsDeltaUnavailable = true };
        }

        LogWhole(logger, layer.Digest!, rest, reason);
        if (wasPlanned)
        {
            budget.Check(rest);
        }
    }

    private bool Forget(Descriptor layer)
    {
        if (!_deltas.TryRemove(layer.Digest!, out var delta))
        {
            return false;
        }

        delta.Dispose();
        planner.Drop(layer);
        return true;
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Layer {Layer}: {Missing} of its {Size} bytes are to be fetched, the rest is on this node")]
    private static partial void LogPlanned(ILogger logger, string layer, long missing, long size);

    [LoggerMessage(Level = LogLevel.Information, Message = "Layer {Layer}: {Missing} more bytes are to be fetched, its headers: {Problem}")]
    private static partial void LogHeaders(ILogger logger, string layer, long missing, string problem);

    [LoggerMessage(Level = LogLevel.Information, Message = "Layer {Layer} is fetched whole, {Rest} bytes: {Reason}")]
    private static partial void LogWhole(ILogger logger, string layer, long rest, string reason);
}
