using System.Globalization;
using EdgeVirt.Contracts.Resources;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace EdgeVirt.Node.Containers.Eviction;

/// <summary>Has images removed that nobody uses.</summary>
internal delegate void ReclaimImages();

/// <summary>
/// Keeps the data partition from being filled by workloads: when less is free than is to be, first images go that nobody
/// uses, then the workload is evicted that wrote most. As the kubelet's node-pressure eviction, decision 0010.
/// </summary>
internal sealed partial class DiskPressure(
    DataPartition partition, IContainerRuntime runtime, ReclaimImages reclaim, NodeConditions conditions, TimeProvider time, ILogger<DiskPressure> log) : BackgroundService
{
    /// <summary>How long the condition stays after the pressure has gone, the kubelet's default.</summary>
    public static readonly TimeSpan Transition = TimeSpan.FromMinutes(5);

    /// <summary>A workload that wrote less is not worth it.</summary>
    public const long LeastBytes = 1 << 20;

    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan EmptyingTime = TimeSpan.FromSeconds(30);
    private DateTimeOffset? pressedAt;
    private DateTimeOffset? evictedAt;
    private bool reclaimed;
    private bool saidNobody;

    /// <summary>Looks once, and does one thing where there is one to do.</summary>
    public async Task CheckAsync(CancellationToken ct)
    {
        var (free, now) = (partition.Space().AvailableBytes, time.GetUtcNow());
        if (free >= partition.MinFreeBytes)
        {
            reclaimed = false;
            if (pressedAt is null || now - pressedAt >= Transition)
            {
                conditions.Set(ConditionTypes.DiskPressure, ConditionStatus.False, DiskPressureReasons.HasNoDiskPressure);
            }

            return;
        }

        pressedAt = now;
        conditions.Set(
            ConditionTypes.DiskPressure, ConditionStatus.True, DiskPressureReasons.HasDiskPressure,
            $"less than {Mebibytes(partition.MinFreeBytes)} of the data partition are free (evictionMinFreeBytes), so the workloads that write most are evicted; limit them, or make the disk larger");
        if (!reclaimed)
        {
            reclaimed = true;
            reclaim();
            return;
        }

        // What the one before leaves is worth waiting for, but not for ever.
        if (!partition.IsBeingEmptied || now - evictedAt >= EmptyingTime)
        {
            await EvictAsync(free, now, ct);
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval, time);
        try
        {
            while (partition.MinFreeBytes > 0 && await timer.WaitForNextTickAsync(stoppingToken))
            {
                try
                {
                    await CheckAsync(stoppingToken);
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

    private async Task EvictAsync(long free, DateTimeOffset now, CancellationToken ct)
    {
        // As in Kubernetes: first who is beyond what was set aside for it.
        var (sandbox, bytes) = (await partition.UsesAsync(beyondLimits: true, ct)).DefaultIfEmpty().MaxBy(use => use.Bytes);
        if (bytes < LeastBytes)
        {
            (sandbox, bytes) = (await partition.UsesAsync(beyondLimits: false, ct)).DefaultIfEmpty().MaxBy(use => use.Bytes);
        }

        if (bytes < LeastBytes)
        {
            if (!saidNobody)
            {
                saidNobody = true;
                LogNobody(free);
            }

            return;
        }

        saidNobody = false;
        evictedAt = now;
        await runtime.EvictAsync(
            sandbox,
            $"only {Mebibytes(free)} of the node's data partition were free, {Mebibytes(partition.MinFreeBytes)} are to be, and no other workload had written more than its {Mebibytes(bytes)}; "
            + "give its containers limits.ephemeral-storage and its emptyDirs a sizeLimit, or keep its data on a persistentVolume",
            ct);
    }

    private static string Mebibytes(long bytes) => string.Create(CultureInfo.InvariantCulture, $"{bytes / (double)(1 << 20):0.#} MiB");

    [LoggerMessage(Level = LogLevel.Error, Message = "Only {Free} bytes of the data partition are free, and no workload wrote anything worth removing")]
    private partial void LogNobody(long free);

    [LoggerMessage(Level = LogLevel.Error, Message = "Could not look after the free space of the data partition; trying again")]
    private partial void LogFailed(Exception exception);
}
