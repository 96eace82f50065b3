namespace EdgeVirt.Contracts.Channels;

/// <summary>How many bytes the other side of a channel still takes. Safe for use by several threads.</summary>
/// <param name="initial">Bytes that are allowed from the start.</param>
public sealed class SendWindow(uint initial = 0)
{
    private readonly Lock gate = new();
    private long allowed = initial;
    private TaskCompletionSource? more;

    /// <summary>The receiver takes so many bytes in addition.</summary>
    public void Allow(uint bytes)
    {
        TaskCompletionSource? waiting;
        lock (gate)
        {
            allowed += bytes;
            (waiting, more) = (more, null);
        }

        waiting?.SetResult();
    }

    /// <summary>Takes 1 to <paramref name="wanted"/> bytes of what is allowed, waiting where the receiver has not kept up.</summary>
    /// <returns>How many may be sent now.</returns>
    public async Task<int> TakeAsync(int wanted, CancellationToken ct)
    {
        while (true)
        {
            Task wait;
            lock (gate)
            {
                if (allowed > 0)
                {
                    var taken = (int)Math.Min(allowed, wanted);
                    allowed -= taken;
                    return taken;
                }

                more ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                wait = more.Task;
            }

            await wait.WaitAsync(ct).ConfigureAwait(false);
        }
    }
}
