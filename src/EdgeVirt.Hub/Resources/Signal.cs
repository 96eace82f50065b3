using System.Threading.Channels;

namespace EdgeVirt.Hub.Resources;

/// <summary>A wake-up without content for one waiter: any number of <see cref="Set"/> before a wait count as one.</summary>
internal sealed class Signal
{
    private readonly Channel<bool> channel =
        Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite, SingleReader = true });

    private Task<bool>? pending;

    /// <summary>Wakes the waiter, now or when it next waits.</summary>
    public void Set() => channel.Writer.TryWrite(true);

    /// <summary>Waits for <see cref="Set"/>; false when <paramref name="timeout"/> passed first.</summary>
    public async Task<bool> WaitAsync(TimeSpan timeout, TimeProvider time, CancellationToken ct)
    {
        pending ??= channel.Reader.ReadAsync(CancellationToken.None).AsTask();
        try
        {
            await pending.WaitAsync(timeout, time, ct);
            pending = null;
            return true;
        }
        catch (TimeoutException)
        {
            return false;
        }
    }
}
