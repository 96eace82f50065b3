using System.Buffers.Binary;
using System.Security.Cryptography;
using EdgeVirt.Linux.Storage;

namespace EdgeVirt.Cli.Flash;

/// <summary>
/// Finds cards that have less space than they say: marks behind the image, written before it and read after it. On a card that wraps around, or drops what has no room, they
/// are overwritten or missing.
/// </summary>
/// <param name="target">The target.</param>
/// <param name="imageBytes">Where the image ends.</param>
internal sealed class CapacityProbe(IFlashTarget target, long imageBytes)
{
    private const int EndBytes = 1 << 20;
    private const int Spread = 32;
    private const int MarkBytes = AlignedBuffer.Alignment;
    private readonly byte[] nonce = RandomNumberGenerator.GetBytes(32);

    /// <summary>Empties what lies right behind the image and at the card's end, where the second copy of an old GPT is.</summary>
    public void ClearBehind()
    {
        using var zeros = new AlignedBuffer(EndBytes);
        zeros.Span.Clear();
        var behind = AlignedBuffer.Up(imageBytes);
        var tail = Math.Max(behind, target.Length - EndBytes) / MarkBytes * MarkBytes;
        foreach (var start in new[] { behind, tail }.Distinct().Where(start => start < target.Length))
        {
            target.Write(start, zeros.Span[..(int)Math.Min(EndBytes, target.Length - start)]);
        }
    }

    public void Mark()
    {
        using var buffer = new AlignedBuffer(MarkBytes);
        foreach (var place in Places())
        {
            Fill(place, buffer.Span);
            target.Write(place, buffer.Span);
        }

        target.Sync();
    }

    /// <exception cref="FlashFault">A mark is gone.</exception>
    public void Check()
    {
        using var buffer = new AlignedBuffer(2 * MarkBytes);
        var read = buffer.Span[..MarkBytes];
        var expected = buffer.Span[MarkBytes..];
        foreach (var place in Places())
        {
            Fill(place, expected);
            target.Read(place, read);
            if (!read.SequenceEqual(expected))
            {
                throw Lies(target, place);
            }
        }
    }

    public void Remove()
    {
        using var zeros = new AlignedBuffer(MarkBytes);
        zeros.Span.Clear();
        foreach (var place in Places())
        {
            target.Write(place, zeros.Span);
        }
    }

    public static FlashFault Lies(IFlashTarget target, long offset) => new(
        FlashOutcome.LiesAboutSize,
        $"{target.Name} says that it has {target.Length} bytes, but has fewer: what was written at {offset} was overwritten or lost.",
        "Throw it away: such cards are sold with a false size. It was left so that it does not boot.");

    private IEnumerable<long> Places()
    {
        var places = new SortedSet<long>();
        var step = (target.Length - imageBytes) / Spread;
        for (var i = 1; i < Spread; i++)
        {
            places.Add(imageBytes + (i * step));
        }

        for (long power = 1 << 20; power > 0 && power < target.Length; power <<= 1)
        {
            places.Add(power);
        }

        places.Add(target.Length - MarkBytes);
        return places.Select(place => place / MarkBytes * MarkBytes).Where(place => place >= AlignedBuffer.Up(imageBytes) && place + MarkBytes <= target.Length).Distinct();
    }

    private void Fill(long place, Span<byte> bytes)
    {
        Span<byte> seed = stackalloc byte[nonce.Length + sizeof(long)];
        nonce.CopyTo(seed);
        BinaryPrimitives.WriteInt64LittleEndian(seed[nonce.Length..], place);
        for (var at = 0; at < bytes.Length; at += SHA256.HashSizeInBytes)
        {
            SHA256.HashData(seed, bytes[at..]);
        }
    }
}
