using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.Containers.Images.Deltas;
using EdgeVirt.Node.Containers.Images.Layers;
using EdgeVirt.Node.Containers.Images.Registries;
using Microsoft.Extensions.Logging;

namespace EdgeVirt.Node.Containers.Images;

/// <summary>
/// The node's images: pulled whole or not at all, every byte proven by its digest, layers shared by content,
/// usable without any registry once they are here. Pulls go one after the other, so that the agent's memory
/// holds one pull's buffers; an image at hand never waits for them.
/// </summary>
internal sealed partial class ImageStore : IContainerImages, IDisposable
{
    private readonly ImageStoreOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger<ImageStore> _logger;
    private readonly BlobStore _blobs;
    private readonly ReferenceStore _references;
    private readonly LayerStore _layers;
    private readonly ImageSources _sources;
    private readonly Lock _files = new();
    private readonly SemaphoreSlim _pulls = new(1);

    /// <summary>Chain ids of the pull under way.</summary>
    private readonly HashSet<string> _pinned = [];

    /// <summary>Opens the store and removes what a crash left of unfinished work.</summary>
    public ImageStore(ImageStoreOptions options, TimeProvider time, ILogger<ImageStore> logger)
    {
        (_options, _time, _logger) = (options, time, logger);
        _blobs = new BlobStore(options.ImagesDirectory, options.QuarantineDirectory, time, logger);
        _references = new ReferenceStore(options.ImagesDirectory, _blobs, time);
        _layers = new LayerStore(Path.Combine(options.ImagesDirectory, "layers"), options.Limits, options.MeasureDisk);
        var rate = new ByteRate(options.MaxBytesPerSecond, time);
        _sources = new ImageSources(options, new DownloadTools(_blobs, _layers.CheckDisk, rate, options.Retry.IdleTimeout, time), logger);

        // Layers hold setuid programs of strangers: nobody but root gets near them.
        Directory.CreateDirectory(options.ImagesDirectory);
        File.SetUnixFileMode(options.ImagesDirectory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        _blobs.Clean();
        _references.Clean();
        _layers.Clean();
    }

    /// <summary>The image, pulled where the policy and its absence ask for it.</summary>
    /// <exception cref="ImageRefusedException">It must not or cannot be used; lasting.</exception>
    /// <exception cref="ImagePullException">It cannot be had now; the message says what to do.</exception>
    public Task<StoredImage> EnsureAsync(ImageReference reference, ImagePullPolicy policy, CancellationToken ct) =>
        EnsureAsync(reference, policy, PullTerms.None, ct);

    /// <inheritdoc cref="EnsureAsync(ImageReference, ImagePullPolicy, CancellationToken)"/>
    public async Task<StoredImage> EnsureAsync(ImageReference reference, ImagePullPolicy policy, PullTerms terms, CancellationToken ct)
    {
        StoredImage? local;
        lock (_files)
        {
            // In one go, so that it is not removed between being found and being used.
            local = Find(reference);
            if (local is not null && (policy != ImagePullPolicy.Always || reference.Digest is not null))
            {
                Use(reference, local.ManifestDigest);
                return Permitted(local, terms);
            }
        }

        if (policy == ImagePullPolicy.Never)
        {
            throw new ImagePullException($"{reference} is not on this node and imagePullPolicy is Never; bring the image here or change the policy.");
        }

        try
        {
            return await PullAsync(reference, local, terms, ct);
        }
        catch (ImagePullException unreachable) when (local is not null && Loaded(local.ManifestDigest) is not null)
        {
            LogImageAtHand(_logger, reference, local.ManifestDigest, unreachable.Message);
            Use(reference, local.ManifestDigest);
            return Permitted(local, terms);
        }
    }

    /// <summary>The image if it is here, whole and sound; null otherwise. What is found damaged is put aside.</summary>
    public Task<StoredImage?> FindAsync(ImageReference reference, CancellationToken ct)
    {
        ct.ThrowIfCancellationRequested();
        lock (_files)
        {
            return Task.FromResult(Find(reference));
        }
    }

    /// <summary>
    /// Removes images that nobody needs, with layers and blobs that no other image shares: those that nobody asked for in a
    /// long time, and from an overfull disk the oldest first until there is room. The others stay for a time without a link.
    /// </summary>
    public Task CollectGarbageAsync(ImagesInUse inUse, CancellationToken ct)
    {
        long freed;
        lock (_files)
        {
            freed = Garbage().Collect(inUse, Pinned(inUse), _time.GetUtcNow(), ct);
        }

        if (freed > 0)
        {
            LogFreed(_logger, freed >> 20);
        }

        var disk = _options.MeasureDisk(_options.ImagesDirectory);
        if (_options.Garbage.IsTooFull(disk))
        {
            LogStillFull(_logger, disk.UsedPercent, disk.AvailableBytes >> 20);
        }

        return Task.CompletedTask;
    }

    /// <inheritdoc cref="CollectGarbageAsync(ImagesInUse, CancellationToken)"/>
    public Task CollectGarbageAsync(IReadOnlySet<string> manifestDigestsInUse, CancellationToken ct) =>
        CollectGarbageAsync(new ImagesInUse(manifestDigestsInUse, new HashSet<string>()), ct);

    public void Dispose() => _pulls.Dispose();

    private async Task<StoredImage> PullAsync(ImageReference reference, StoredImage? local, PullTerms terms, CancellationToken ct)
    {
        RefuseAgain(reference, terms);
        long fetched = 0;
        return await WithRoomAsync(reference, AttemptAsync, ct);

        async Task<StoredImage> AttemptAsync()
        {
            var budget = new PullBudget(terms.MaxBytes);
            try
            {
                return await AttemptPullAsync(reference, isPatient: local is null, terms, (budget, fetched), ct);
            }
            finally
            {
                fetched += budget.FetchedBytes;
            }
        }
    }

    /// <param name="reference">What is wanted.</param>
    /// <param name="isPatient">Whether there is nothing else to use.</param>
    /// <param name="terms">The workload's.</param>
    /// <param name="cost">The budget of this attempt, and the bytes that attempts before it fetched.</param>
    /// <param name="ct">Gives up.</param>
    private async Task<StoredImage> AttemptPullAsync(
        ImageReference reference, bool isPatient, PullTerms terms, (PullBudget Budget, long Before) cost, CancellationToken ct)
    {
        var budget = cost.Budget;
        using var source = _sources.Open(reference, terms, budget, isPatient);
        var deltas = source is IRangedSource ranged && terms.Delta != ImageDeltaPolicy.Never
            ? new DeltaSource(ranged, new DeltaPlanner(_blobs, _layers, _options.Limits), terms, budget, _logger)
            : null;
        using var disposing = deltas;
        var pull = new ImagePull(_options, deltas ?? source, _blobs, _layers, _time, _logger);
        var (digest, bytes) = await pull.ResolveAsync(reference, ct);
        await _pulls.WaitAsync(ct);
        try
        {
            // Another pull may have brought it meanwhile, or another tag of it is here.
            if (Loaded(digest) is not { } image)
            {
                var started = _time.GetTimestamp();
                RefuseAgain(digest);
                Permit(ImageManifest.From(ImageManifest.ReadDocument(bytes)).IsArtifact, terms);
                LogPulling(_logger, reference, digest);
                await RunAsync(pull, reference, (digest, bytes), terms, budget, ct);
                image = Loaded(digest) ?? throw new ImagePullException($"{reference} was damaged while it was stored; check the disk.");
                var took = _time.GetElapsedTime(started);
                var fetched = cost.Before + budget.FetchedBytes;
                LogPulled(_logger, reference, digest, took, fetched, image.LayerBytes);
                Use(reference, digest, new PullCost(fetched, image.LayerBytes));
            }
            else
            {
                Use(reference, digest);
            }

            return Permitted(image, terms);
        }
        finally
        {
            lock (_files)
            {
                _pinned.Clear();
            }

            _pulls.Release();
        }
    }

    private static StoredImage Permitted(StoredImage image, PullTerms terms)
    {
        Permit(image.IsArtifact, terms);
        return image;
    }

    private static void Permit(bool isArtifact, PullTerms terms)
    {
        if (isArtifact && !terms.TakesArtifacts)
        {
            throw new ImageRefusedException(
                ImageRefusedReason.UnsupportedMediaType, "it is an artifact of files, which no container can run; name a container image, or use it as the disk of a VirtualMachine");
        }
    }

    private void Pin(IReadOnlyList<string> chainIds)
    {
        lock (_files)
        {
            _pinned.UnionWith(chainIds);
        }
    }

    private void PinOnly(IReadOnlyList<string> chainIds)
    {
        lock (_files)
        {
            _pinned.Clear();
            _pinned.UnionWith(chainIds);
        }
    }

    private void Use(ImageReference reference, string manifestDigest, PullCost? cost = null)
    {
        lock (_files)
        {
            if (cost is null && _references.Find(reference) == manifestDigest)
            {
                _references.Touch(reference);
            }
            else
            {
                _references.Write(reference, manifestDigest, cost);
            }
        }
    }

    /// <summary>A digest names the same content wherever it came from.</summary>
    private StoredImage? Find(ImageReference reference) => (_references.Find(reference) ?? reference.Digest) is { } digest ? Load(digest) : null;

    private StoredImage? Loaded(string manifestDigest)
    {
        lock (_files)
        {
            return Load(manifestDigest);
        }
    }

    private StoredImage? Load(string manifestDigest)
    {
        if (_blobs.Read(manifestDigest) is not { } manifestBytes)
        {
            return null;
        }

        var document = ImageManifest.ReadDocument(manifestBytes);
        if (document.Manifests is not null)
        {
            return null;
        }

        var manifest = ImageManifest.From(document);
        if (_blobs.Read(manifest.Config.Digest!) is not { } configBytes)
        {
            return null;
        }

        var config = manifest.IsArtifact ? new ImageConfig() : ImageManifest.ToRunConfig(manifest.ReadConfig(configBytes, _options.Platform));
        var chain = manifest.ChainOf(configBytes);
        return chain.All(id => _layers.Find(id) is not null)
            ? new StoredImage(manifestDigest, config, [.. chain.Select(_layers.PathOf)])
            {
                IsArtifact = manifest.IsArtifact,
                LayerBytes = manifest.Layers.Sum(layer => layer.Size),
            }
            : null;
    }
}
