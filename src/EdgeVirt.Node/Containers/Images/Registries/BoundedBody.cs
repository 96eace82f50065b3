namespace EdgeVirt.Node.Containers.Images.Registries;

/// <summary>Reads a small answer whole, and no more than that.</summary>
internal static class BoundedBody
{
    private static readonly TimeSpan s_deadline = TimeSpan.FromSeconds(60);

    /// <exception cref="OperationCanceledException">It did not come in a minute: headers have a time limit of their own, bodies none.</exception>
    public static async Task<byte[]> ReadAsync(HttpContent content, int limit, string what, CancellationToken ct)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(ct);
        deadline.CancelAfter(s_deadline);
        await using var body = await content.ReadAsStreamAsync(deadline.Token);
        using var collected = new MemoryStream();
        var buffer = new byte[16 << 10];
        for (var read = await body.ReadAsync(buffer, deadline.Token); read > 0; read = await body.ReadAsync(buffer, deadline.Token))
        {
            if (collected.Length + read > limit)
            {
                throw new ImageRefusedException(ImageRefusedReason.TooLarge, $"Image refused: the {what} is larger than {limit} bytes.");
            }

            collected.Write(buffer, 0, read);
        }

        return collected.ToArray();
    }
}
