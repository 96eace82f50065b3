using EdgeVirt.Node.Networks;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace EdgeVirt.Node.Containers.Images;

internal static class ImagesServices
{
    /// <summary>Adds <see cref="ImageStore"/>; needs <see cref="NodeOptions"/> and <see cref="TimeProvider"/>.</summary>
    public static IServiceCollection AddImages(this IServiceCollection services) => services.AddSingleton(provider => new ImageStore(
        OptionsOf(provider.GetRequiredService<NodeOptions>()), provider.GetRequiredService<TimeProvider>(), provider.GetRequiredService<ILogger<ImageStore>>()));

    private static ImageStoreOptions OptionsOf(NodeOptions node) => new()
    {
        ImagesDirectory = Path.Combine(node.DataDir, "images"),
        QuarantineDirectory = node.QuarantineDirectory,
        MaxConcurrentDownloads = node.Images.MaxConcurrentDownloads,
        Limits = new UnpackLimits { MinFreeBytes = node.Images.MinFreeBytes },
        MaxBytesPerSecond = node.ImageMaxBytesPerSecond,
        Uplinks = new Uplinks(node.Uplinks),
        MaxUplinkCost = node.Images.MaxUplinkCost,
        Garbage = new ImageGarbagePolicy
        {
            HighWatermarkPercent = node.Images.HighWatermarkPercent,
            LowWatermarkPercent = node.Images.LowWatermarkPercent,
            MinFreeBytes = node.Images.MinFreeBytes,
            MaxUnusedAge = TimeSpan.FromDays(node.Images.MaxUnusedDays),
        },
        Registries = node.Registries.ToDictionary(entry => entry.Key, entry => new RegistryAccess
        {
            Url = entry.Value.Url is { } url ? new Uri(url) : RegistryAccess.DefaultUrl(entry.Key),
            Mirrors = [.. (entry.Value.Mirrors ?? []).Select(mirror => new Uri(mirror))],
            CaFile = entry.Value.CaFile,
            Username = entry.Value.Username,
            PasswordFile = entry.Value.PasswordFile,
        }),
    };
}
