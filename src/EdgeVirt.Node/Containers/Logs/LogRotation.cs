using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace EdgeVirt.Node.Containers.Logs;

/// <summary>Holds the logs of what runs within their limits, and brings to disk what is in memory: in time, and when the agent ends.</summary>
internal sealed partial class LogRotation(NodeDirectories directories, RecordStore records, TimeProvider time, ILogger<LogRotation> log) : BackgroundService
{
    private static readonly TimeSpan CheckInterval = TimeSpan.FromSeconds(10);

    private long flushed = time.GetTimestamp();

    /// <inheritdoc/>
    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        await KeepAsync(flush: true);
    }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(CheckInterval, time);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
            {
                var isDue = time.GetElapsedTime(flushed).TotalSeconds >= directories.Logs.FlushSeconds;
                flushed = isDue ? time.GetTimestamp() : flushed;
                await KeepAsync(isDue);
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            return;
        }
    }

    private async Task KeepAsync(bool flush)
    {
        foreach (var run in records.Containers.Where(run => run is { Exit: null, Retired: false }))
        {
            try
            {
                await LogArchive.KeepAsync(run.Id, flush, directories, time);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                LogNotKept(run.Id, e.Message);
            }
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The log of {Id} could not be put on disk or made short: {Problem}")]
    private partial void LogNotKept(string id, string problem);
}
