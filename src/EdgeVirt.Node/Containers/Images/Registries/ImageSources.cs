using EdgeVirt.Contracts.Resources;
using Polly;
using Polly.Retry;

namespace EdgeVirt.Node.Containers.Images.Registries;

/// <summary>Opens the source that a reference names.</summary>
internal sealed class ImageSources(ImageStoreOptions options, BlobStore blobs, Action<long> checkDisk, TimeProvider time)
{
    private readonly ResiliencePipeline _patient = Pipeline(options.Retry, time);

    /// <param name="reference">What is wanted.</param>
    /// <param name="isPatient">Whether to try again; no, where an image at hand can be used instead.</param>
    public IImageSource Open(ImageReference reference, bool isPatient)
    {
        if (reference.IsLayout)
        {
            return new LayoutSource(reference.Repository);
        }

        var access = options.Registries.GetValueOrDefault(reference.Registry!) ?? new RegistryAccess { Url = new Uri($"https://{reference.Registry}") };
        var retry = isPatient ? _patient : ResiliencePipeline.Empty;
        var client = new RegistryClient(reference.Registry!, reference.Repository, access, options.Retry.IdleTimeout);
        var download = new LayerDownload(client, blobs, _patient, options.Retry.IdleTimeout, checkDisk, time);
        return new RegistrySource(client, blobs, download, retry, options.KeepCompressedLayers);
    }

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
