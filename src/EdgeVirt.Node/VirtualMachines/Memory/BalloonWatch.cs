using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace EdgeVirt.Node.VirtualMachines.Memory;

/// <summary>Looks every two seconds whether the node is short of memory that machines could give.</summary>
internal sealed partial class BalloonWatch(VmTools tools, TimeProvider time, ILogger<BalloonWatch> log) : BackgroundService
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(2);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval, time);
        try
        {
            while (!tools.Balloons.IsOff && await timer.WaitForNextTickAsync(stoppingToken))
            {
                try
                {
                    foreach (var (id, from, to) in await tools.Balloons.CheckAsync(stoppingToken))
                    {
                        LogMoved(id, from >> 20, to >> 20);
                    }
                }
                catch (Exception e) when (e is not OperationCanceledException)
                {
                    // One look that fails, whatever the reason, must end neither the watch nor the agent.
                    LogFailed(e);
                }
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The agent stops.
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "The guest of virtual machine {Id} is to have {To} MiB of memory, before {From}")]
    private partial void LogMoved(string id, long from, long to);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The node's memory could not be looked at, or machines not be asked for theirs")]
    private partial void LogFailed(Exception e);
}
