using System.Threading.Channels;

namespace EdgeVirt.Node;

/// <summary>A wake-up that carries nothing and coalesces: however often it was set, one wait is released.</summary>
internal sealed class WakeSignal
{
    private readonly Channel<bool> channel = Channel.CreateBounded<bool>(
        new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite, SingleReader = true });

    /// <summary>Releases the one who waits, now or next time.</summary>
    public void Set() => channel.Writer.TryWrite(true);

    /// <summary>Forgets what was set.</summary>
    public void Clear() => channel.Reader.TryRead(out _);

    /// <summary>Waits until set, and takes it; false when <paramref name="longest"/> passed first.</summary>
    public async Task<bool> WaitAsync(TimeSpan longest, TimeProvider time, CancellationToken ct)
    {
        using var timer = new CancellationTokenSource(longest, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timer.Token, ct);
        try
        {
            await channel.Reader.ReadAsync(either.Token);
            return true;
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            return false;
        }
    }
}
