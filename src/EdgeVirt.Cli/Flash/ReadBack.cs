using EdgeVirt.Linux.Storage;

namespace EdgeVirt.Cli.Flash;

/// <summary>Reads from the medium all that was written, and holds each range's SHA-256 against the image's.</summary>
/// <param name="target">Synced.</param>
/// <param name="pass">The image, read to its end.</param>
/// <param name="verified">Is told how many bytes more.</param>
internal sealed class ReadBack(IFlashTarget target, ImagePass pass, Action<long> verified)
{
    private const int Window = 4 << 20;
    private const int SectorBytes = 512;

    // Bits that the medium got wrong, and not data that belongs elsewhere.
    private const int MostFlipped = 8;

    /// <exception cref="FlashFault">Something else is there, or cannot be read.</exception>
    public void Verify(CancellationToken ct)
    {
        using var buffers = new Buffers();
        CheckHeadIsEmpty(buffers[0]);
        using var hasher = new RangeHasher(pass.Image.Map.Ranges, (number, digest) =>
        {
            var range = pass.Image.Map.Ranges[number];
            if (!digest.AsSpan().SequenceEqual(pass.Digest(number)))
            {
                throw Differs(target.Name, range.Offset, range.Length);
            }
        });
        var hashing = Task.CompletedTask;
        var turn = 0;
        try
        {
            foreach (var (offset, length) in Windows())
            {
                ct.ThrowIfCancellationRequested();
                var buffer = buffers[turn++ % 2];
                Load(offset, length, buffer.Span);
                hashing.GetAwaiter().GetResult();
                hashing = Task.Run(() => hasher.Add(offset, buffer.Span[..length]), CancellationToken.None);
                verified(length);
            }

            hashing.GetAwaiter().GetResult();
        }
        finally
        {
            // It still reads a buffer.
            ((IAsyncResult)hashing).AsyncWaitHandle.WaitOne();
        }
    }

    public static FlashFault Differs(string name, long offset, long length) => new(
        FlashOutcome.VerifyFailed,
        $"{name}: what was read back {(length == 1 ? $"at {offset}" : $"from {offset} to {offset + length - 1}")} is not what was written.",
        "Do not use it: the card, its reader or the cable is bad. It was left so that it does not boot. Try another reader, then another card.");

    private IEnumerable<(long Offset, int Length)> Windows()
    {
        foreach (var (offset, length) in ImageReader.Runs(pass.Image.Map))
        {
            for (var at = offset; at < offset + length;)
            {
                var end = at < pass.HeadBytes ? Math.Min(pass.HeadBytes, offset + length) : Math.Min(at + Window, offset + length);
                yield return (at, (int)(end - at));
                at = end;
            }
        }
    }

    private void Load(long offset, int length, Span<byte> buffer)
    {
        if (offset < pass.HeadBytes)
        {
            pass.Head.AsSpan((int)offset, length).CopyTo(buffer);
        }
        else
        {
            target.Read(offset, buffer[..((length + 511) / 512 * 512)]);
        }
    }

    // Whatever a card without that much space wraps around to, its beginning is first to be hit.
    private void CheckHeadIsEmpty(AlignedBuffer buffer)
    {
        var head = buffer.Span[..pass.HeadBytes];
        target.Read(0, head);
        if (head.IndexOfAnyExcept((byte)0) is >= 0 and var at)
        {
            var sector = head.Slice(at / SectorBytes * SectorBytes, SectorBytes);
            throw SectorBytes - sector.Count((byte)0) > MostFlipped ? CapacityProbe.Lies(target, at) : Differs(target.Name, at, 1);
        }
    }

    private sealed class Buffers : IDisposable
    {
        private readonly AlignedBuffer[] pair = [new(Window), new(Window)];

        public AlignedBuffer this[int index] => pair[index];

        public void Dispose()
        {
            foreach (var buffer in pair)
            {
                buffer.Dispose();
            }
        }
    }
}
