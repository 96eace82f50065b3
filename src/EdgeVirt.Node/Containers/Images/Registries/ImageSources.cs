using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.Containers.Images.Archives;
using Microsoft.Extensions.Logging;
using Polly;
using Polly.Retry;

namespace EdgeVirt.Node.Containers.Images.Registries;

/// <summary>Opens the source that a reference names.</summary>
internal sealed class ImageSources(ImageStoreOptions options, DownloadTools tools, ILogger logger)
{
    private readonly ResiliencePipeline _patient = Pipeline(options.Retry, tools.Time);

    /// <param name="reference">What is wanted.</param>
    /// <param name="terms">The credentials that the workload brings.</param>
    /// <param name="budget">Told of every byte of a layer.</param>
    /// <param name="isPatient">Whether to try again; no, where an image at hand can be used instead.</param>
    public IImageSource Open(ImageReference reference, PullTerms terms, PullBudget budget, bool isPatient)
    {
        if (reference.IsLayout)
        {
            return new LayoutSource(new DirectoryFiles(reference.Repository));
        }

        var host = reference.Registry!;

        // Docker's own registry keeps the images without an owner under "library".
        var repository = host == "docker.io" && !reference.Repository.Contains('/', StringComparison.Ordinal) ? $"library/{reference.Repository}" : reference.Repository;
        var access = AccessTo(host);
        var registry = Open(host, repository, access, (terms, budget), isPatient ? _patient : ResiliencePipeline.Empty, _patient);
        return access.Mirrors.Count == 0 ? registry : new MirroredSource([.. access.Mirrors.Select(mirror => (mirror.ToString(), (IRangedSource)OpenMirror(mirror, repository, (terms, budget))))], registry, logger);
    }

    /// <summary>With its own credentials, never those of the registry that it mirrors; and without patience, as there is another to ask.</summary>
    private RegistrySource OpenMirror(Uri mirror, string repository, (PullTerms, PullBudget) pull)
    {
        var prefix = mirror.AbsolutePath.Trim('/');
        var access = AccessTo(mirror.Authority) with { Url = new Uri(mirror.GetLeftPart(UriPartial.Authority)) };
        return Open(mirror.Authority, prefix.Length == 0 ? repository : $"{prefix}/{repository}", access, pull, ResiliencePipeline.Empty, ResiliencePipeline.Empty);
    }

    private RegistrySource Open(string host, string repository, RegistryAccess access, (PullTerms Terms, PullBudget Budget) pull, ResiliencePipeline retry, ResiliencePipeline retryLayers)
    {
        var limit = (pull.Terms.MaxUplinkCost ?? options.MaxUplinkCost) is { } most ? new UplinkLimit(options.Uplinks, most) : null;
        var client = new RegistryClient(host, repository, access with { Uplink = limit }, pull.Terms.Keychain.For(host, repository), options.Retry.IdleTimeout, options.MaxConcurrentDownloads + 1);
        var whole = new LayerDownload(client, tools, retryLayers, pull.Budget);
        var ranges = new RangeDownload(client, tools, retryLayers, pull.Budget);
        return new RegistrySource(client, tools.Blobs, (whole, ranges), retry, options.KeepCompressedLayers);
    }

    private RegistryAccess AccessTo(string host) => options.Registries.GetValueOrDefault(host) ?? new RegistryAccess { Url = RegistryAccess.DefaultUrl(host) };

    /// <summary>Jitter keeps a fleet that lost its registry from returning to it in step.</summary>
    private static ResiliencePipeline Pipeline(RetryLimits limits, TimeProvider time) => new ResiliencePipelineBuilder { TimeProvider = time }
        .AddRetry(new RetryStrategyOptions
        {
            ShouldHandle = arguments => ValueTask.FromResult(arguments.Outcome.Exception is ImagePullException { IsPassing: true }),
            MaxRetryAttempts = limits.Attempts,
            BackoffType = DelayBackoffType.Exponential,
            UseJitter = true,
            Delay = limits.FirstDelay,
            MaxDelay = limits.MaxDelay,
            DelayGenerator = arguments => ValueTask.FromResult(
                arguments.Outcome.Exception is ImagePullException { RetryAfter: { } asked } ? Shorter(asked, limits.MaxDelay) : (TimeSpan?)null),
        })
        .Build();

    private static TimeSpan Shorter(TimeSpan asked, TimeSpan limit) => asked < limit ? asked : limit;
}
