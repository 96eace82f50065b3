using System.Runtime;
using EdgeVirt.Linux;
using Microsoft.Extensions.Hosting;

namespace EdgeVirt.Node;

/// <summary>
/// Gives memory back when the agent has come to rest. Starting, pulling an image or starting many containers leaves the
/// heap and the program's own pages several times as large as ordinary life needs, and a board's memory is the workloads'.
/// </summary>
internal sealed class MemoryTrim(TimeProvider time) : BackgroundService
{
    private const long WorthIt = 1 << 19;
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(15);

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var rest = 0L;
        while (true)
        {
            await Task.Delay(Interval, time, stoppingToken);
            if (GC.GetTotalAllocatedBytes() - rest > WorthIt)
            {
                GCSettings.LargeObjectHeapCompactionMode = GCLargeObjectHeapCompactionMode.CompactOnce;
                GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
                ProcessMemory.Release();
                rest = GC.GetTotalAllocatedBytes();
            }
        }
    }
}
