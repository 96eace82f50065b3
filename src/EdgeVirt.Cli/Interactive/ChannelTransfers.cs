namespace EdgeVirt.Cli.Interactive;

/// <summary>Sends much, or only waits, until the node closes a channel.</summary>
internal static class ChannelTransfers
{
    /// <summary>Ends when all is sent and the node has closed: when all is in its place there, or as soon as it is clear that it will not be.</summary>
    /// <param name="channel">Where to.</param>
    /// <param name="send">Sends all of it; cancelled when the node closes with an error.</param>
    /// <param name="ct">Ends both.</param>
    /// <exception cref="CliException">The node closed for another reason than being done.</exception>
    public static async Task SendUntilClosedAsync(this ClientChannel channel, Func<CancellationToken, Task> send, CancellationToken ct)
    {
        using var over = CancellationTokenSource.CreateLinkedTokenSource(ct);
        var sending = Task.Run(() => send(over.Token), over.Token);
        var closing = channel.UntilClosedAsync(over.Token);
        try
        {
            if (await Task.WhenAny(sending, closing) == sending)
            {
                await sending;
            }

            await closing;
            await sending;
        }
        finally
        {
            await over.CancelAsync();
            await Task.WhenAll(sending, closing).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>Ends when the node closes.</summary>
    /// <exception cref="CliException">It closed for another reason than being done.</exception>
    public static async Task UntilClosedAsync(this ClientChannel channel, CancellationToken ct)
    {
        await foreach (var _ in channel.ReadAllAsync(ct))
        {
        }
    }
}
