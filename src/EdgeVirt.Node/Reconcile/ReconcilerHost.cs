using System.Threading.Channels;
using EdgeVirt.Node.State;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace EdgeVirt.Node.Reconcile;

/// <summary>
/// The one loop: runs every reconciler when it is woken, when it asked to be, and now and then in any case. Wake-ups
/// carry no payload and coalesce. Failures back off per reconciler, and wake-ups do not cut that short.
/// </summary>
internal sealed partial class ReconcilerHost(
    IEnumerable<IReconciler> reconcilers, NodeStore store, TimeProvider time, ILogger<ReconcilerHost> log) : BackgroundService
{
    private static readonly TimeSpan Resync = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan FirstDelay = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan MostDelay = TimeSpan.FromMinutes(2);

    private readonly Loop[] loops = [.. reconcilers.Select(reconciler => new Loop(reconciler))];
    private readonly TaskCompletionSource firstPasses = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Completes when every reconciler has finished one pass, well or not.</summary>
    public Task FirstPasses => firstPasses.Task;

    /// <summary>Whether no pass has been running for longer than <paramref name="longest"/>.</summary>
    public bool IsLive(TimeSpan longest) => loops.All(loop => loop.PassStarted is not { } started || time.GetElapsedTime(started) < longest);

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var first = loops.Select(loop => loop.FirstPass.Task);
        _ = Task.WhenAll(first).ContinueWith(_ => firstPasses.TrySetResult(), TaskScheduler.Default);
        await Task.Yield();
        foreach (var loop in loops)
        {
            await ReclaimAsync(loop.Reconciler, stoppingToken);
        }

        await Task.WhenAll(loops.Select(loop => RunAsync(loop, stoppingToken)));
    }

    private async Task ReclaimAsync(IReconciler reconciler, CancellationToken ct)
    {
        try
        {
            await reconciler.ReclaimAsync(ct);
        }
        catch (OperationCanceledException) when (ct.IsCancellationRequested)
        {
        }
#pragma warning disable CA1031 // As with a pass: one that fails must not keep the others from theirs.
        catch (Exception e)
#pragma warning restore CA1031
        {
            LogReclaimFailed(reconciler.Name, e);
        }
    }

    private async Task RunAsync(Loop loop, CancellationToken ct)
    {
        var subscriptions = loop.Reconciler.Reads.Select(area => store.Subscribe(area, loop.Wake)).ToArray();
        loop.Reconciler.Woken += loop.Wake;
        try
        {
            await Task.Yield();
            while (!ct.IsCancellationRequested)
            {
                var (wait, failed) = await PassAsync(loop, ct);
                loop.FirstPass.TrySetResult();
                await (failed ? Task.Delay(wait, time, ct) : loop.WaitAsync(wait, time, ct));
            }
        }
        catch (OperationCanceledException) when (ct.IsCancellationRequested)
        {
        }
        finally
        {
            loop.Reconciler.Woken -= loop.Wake;
            Array.ForEach(subscriptions, subscription => subscription.Dispose());
            loop.FirstPass.TrySetResult();
        }
    }

    private async Task<(TimeSpan Wait, bool Failed)> PassAsync(Loop loop, CancellationToken ct)
    {
        loop.PassStarted = time.GetTimestamp();
        try
        {
            loop.DrainWakes();
            var wait = await loop.Reconciler.ReconcileAsync(ct);
            loop.Backoff.Reset();
            return (wait is { } asked && asked < Resync ? TimeSpan.FromTicks(Math.Max(asked.Ticks, 0)) : Resync, false);
        }
        catch (OperationCanceledException) when (ct.IsCancellationRequested)
        {
            throw;
        }
#pragma warning disable CA1031 // The loop host is where a failed pass ends: logged, and tried again.
        catch (Exception e)
#pragma warning restore CA1031
        {
            var delay = loop.Backoff.Next();
            LogPassFailed(loop.Reconciler.Name, loop.Backoff.Failures, delay.TotalSeconds, e);
            return (delay, true);
        }
        finally
        {
            loop.PassStarted = null;
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "Reconciling {Reconciler} failed ({Failures} in a row); again in {Seconds:F1} s")]
    private partial void LogPassFailed(string reconciler, int failures, double seconds, Exception e);

    [LoggerMessage(Level = LogLevel.Error, Message = "Reconciling {Reconciler}: what an earlier run of the agent held could not be taken back yet")]
    private partial void LogReclaimFailed(string reconciler, Exception e);

    private sealed class Loop(IReconciler reconciler)
    {
        private readonly Channel<bool> wakes = Channel.CreateBounded<bool>(
            new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite, SingleReader = true });

        private long passStarted;

        public IReconciler Reconciler { get; } = reconciler;

        public Backoff Backoff { get; } = new(FirstDelay, MostDelay);

        public TaskCompletionSource FirstPass { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public long? PassStarted
        {
            get => Volatile.Read(ref passStarted) is var value and not 0 ? value : null;
            set => Volatile.Write(ref passStarted, value ?? 0);
        }

        public void Wake() => wakes.Writer.TryWrite(true);

        public void DrainWakes() => wakes.Reader.TryRead(out _);

        public async Task WaitAsync(TimeSpan longest, TimeProvider time, CancellationToken ct)
        {
            using var timer = new CancellationTokenSource(longest, time);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(timer.Token, ct);
            try
            {
                await wakes.Reader.WaitToReadAsync(either.Token);
            }
            catch (OperationCanceledException) when (!ct.IsCancellationRequested)
            {
            }
        }
    }
}
