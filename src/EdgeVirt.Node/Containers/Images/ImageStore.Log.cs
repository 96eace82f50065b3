using EdgeVirt.Contracts.Resources;
using Microsoft.Extensions.Logging;

namespace EdgeVirt.Node.Containers.Images;

internal sealed partial class ImageStore
{
    [LoggerMessage(Level = LogLevel.Information, Message = "Pulling {Image}: {Digest}")]
    private static partial void LogPulling(ILogger logger, ImageReference image, string digest);

    [LoggerMessage(Level = LogLevel.Information, Message = "Pulled {Image} ({Digest}) in {Took}: {Fetched} of the {Size} bytes of its layers were fetched")]
    private static partial void LogPulled(ILogger logger, ImageReference image, string digest, TimeSpan took, long fetched, long size);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Using {Image} as it is on this node ({Digest}): {Problem}")]
    private static partial void LogImageAtHand(ILogger logger, ImageReference image, string digest, string problem);

    [LoggerMessage(Level = LogLevel.Information, Message = "Imported {Image} ({Digest}) from {Path}")]
    private static partial void LogImported(ILogger logger, ImageReference image, string digest, string path);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The data partition is {Percent:F0} % full, {Mebibytes} MiB are free, and every image left on it is needed; remove workloads or use a larger disk")]
    private static partial void LogStillFull(ILogger logger, double percent, long mebibytes);

    [LoggerMessage(Level = LogLevel.Information, Message = "Removed unused images to make room for {Image}: {Mebibytes} MiB freed")]
    private static partial void LogMadeRoom(ILogger logger, string image, long mebibytes);

    [LoggerMessage(Level = LogLevel.Information, Message = "Removed unused images: {Mebibytes} MiB freed")]
    private static partial void LogFreed(ILogger logger, long mebibytes);
}
