using EdgeVirt.Node.Containers.Images.Deltas;
using Microsoft.Extensions.Logging;

namespace EdgeVirt.Node.Containers.Images.Registries;

/// <summary>
/// A registry behind its mirrors: each is asked in turn, and one that fails, or gives other bytes than the digest names, is passed
/// over for the rest of the pull. What a tag stands for is taken from the first that answers; only a digest binds a mirror.
/// </summary>
internal sealed partial class MirroredSource(IReadOnlyList<(string Name, IRangedSource Source)> mirrors, IRangedSource registry, ILogger logger) : IRangedSource
{
    private readonly HashSet<string> _passedOver = [];

    public Task<byte[]> FetchManifestAsync(string tagOrDigest, CancellationToken ct) => FirstAsync(async source =>
    {
        var bytes = await source.FetchManifestAsync(tagOrDigest, ct);
        ImageManifest.ReadDocument(bytes);
        return bytes;
    });

    public Task<byte[]> FetchConfigAsync(Descriptor descriptor, CancellationToken ct) => FirstAsync(source => source.FetchConfigAsync(descriptor, ct));

    public Task FetchLayerAsync(Descriptor descriptor, Action<long> progress, CancellationToken ct) => FirstAsync(async source =>
    {
        await source.FetchLayerAsync(descriptor, progress, ct);
        return true;
    });

    public Task FetchRangesAsync(Descriptor descriptor, IReadOnlyList<ByteRange> ranges, RangeSpool spool, Action<int> progress, CancellationToken ct) => FirstAsync(async source =>
    {
        await source.FetchRangesAsync(descriptor, ranges, spool, progress, ct);
        return true;
    });

    public Stream OpenLayer(Descriptor descriptor) => registry.OpenLayer(descriptor);

    public void DropLayer(Descriptor descriptor) => registry.DropLayer(descriptor);

    public void Dispose()
    {
        foreach (var (_, source) in mirrors)
        {
            source.Dispose();
        }

        registry.Dispose();
    }

    private async Task<T> FirstAsync<T>(Func<IRangedSource, Task<T>> ask)
    {
        foreach (var (name, source) in mirrors)
        {
            if (IsPassedOver(name))
            {
                continue;
            }

            try
            {
                return await ask(source);
            }
            catch (NoDeltaException)
            {
                // It can still give the layer whole.
            }
            catch (Exception failed) when (failed is ImagePullException { IsLocal: false } or ImageRefusedException)
            {
                PassOver(name, failed.Message);
            }
        }

        return await ask(registry);
    }

    private bool IsPassedOver(string name)
    {
        lock (_passedOver)
        {
            return _passedOver.Contains(name);
        }
    }

    private void PassOver(string name, string reason)
    {
        lock (_passedOver)
        {
            if (_passedOver.Add(name))
            {
                LogPassedOver(logger, name, reason);
            }
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The mirror {Mirror} is passed over for this pull: {Reason}")]
    private static partial void LogPassedOver(ILogger logger, string mirror, string reason);
}
