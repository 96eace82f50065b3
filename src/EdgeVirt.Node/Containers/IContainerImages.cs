using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.Containers.Images;

namespace EdgeVirt.Node.Containers;

/// <summary>What running containers needs of images. Real: <c>ImageStore</c>; tests and benches give prepared directories.</summary>
internal interface IContainerImages
{
    /// <exception cref="ImageRefusedException">The image is refused for good.</exception>
    /// <exception cref="ImagePullException">It cannot be had now.</exception>
    Task<StoredImage> EnsureAsync(ImageReference reference, ImagePullPolicy policy, CancellationToken ct);

    /// <summary>The same, on the workload's terms.</summary>
    Task<StoredImage> EnsureAsync(ImageReference reference, ImagePullPolicy policy, PullTerms terms, CancellationToken ct) => EnsureAsync(reference, policy, ct);

    /// <summary>Frees images that are neither in use nor new.</summary>
    Task CollectGarbageAsync(IReadOnlySet<string> manifestDigestsInUse, CancellationToken ct);

    /// <summary>Who needs which images, asked before a pull that does not fit has others removed. Until this is said, none is.</summary>
    void MakeRoomBy(Func<CancellationToken, Task<ImagesInUse>> needed)
    {
    }

    /// <summary>The same, and keeps what workloads name.</summary>
    Task CollectGarbageAsync(ImagesInUse inUse, CancellationToken ct) => CollectGarbageAsync(inUse.Digests, ct);
}
