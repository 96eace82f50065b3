using System.Buffers;

namespace EdgeVirt.Node.Containers.Images.Registries;

/// <summary>Takes in bytes of a layer: within the node's rate, counted by the pull's budget, and not from a connection that has gone silent.</summary>
internal static class MeteredBody
{
    private const int BufferBytes = 64 << 10;

    /// <param name="content">Not yet read.</param>
    /// <param name="tools">The rate and the patience.</param>
    /// <param name="budget">Told of every byte, after it is stored.</param>
    /// <param name="store">Keeps a piece; may object to it.</param>
    /// <param name="ct">Gives up.</param>
    /// <exception cref="OperationCanceledException">Nothing came for too long, or <paramref name="ct"/>.</exception>
    public static async Task CopyAsync(HttpContent content, DownloadTools tools, PullBudget budget, Action<ReadOnlyMemory<byte>> store, CancellationToken ct)
    {
        using var idle = new CancellationTokenSource(tools.IdleTimeout, tools.Time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(ct, idle.Token);
        var buffer = ArrayPool<byte>.Shared.Rent(BufferBytes);
        var piece = buffer.AsMemory(0, tools.Rate.Piece(BufferBytes));
        try
        {
            await using var body = await content.ReadAsStreamAsync(ct);
            for (var read = await body.ReadAsync(piece, either.Token); read > 0; read = await body.ReadAsync(piece, either.Token))
            {
                idle.CancelAfter(Timeout.InfiniteTimeSpan);
                store(piece[..read]);
                budget.Spend(read);
                await tools.Rate.PassAsync(read, ct);
                idle.CancelAfter(tools.IdleTimeout);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}
