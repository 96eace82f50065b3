using EdgeVirt.Cli.Flash;

namespace EdgeVirt.Cli.Tests.Flash;

/// <summary>A card in memory that can be as bad as real ones are. It starts full of old data.</summary>
internal sealed class MemoryTarget : IFlashTarget
{
    public const byte Old = 0xA5;

    public MemoryTarget(string name, int bytes)
    {
        Name = name;
        Card = new byte[bytes];
        Card.AsSpan().Fill(Old);
        Length = bytes;
    }

    public string Name { get; }

    public byte[] Card { get; }

    /// <summary>What it says; what it has is the length of <see cref="Card"/>.</summary>
    public long Length { get; init; }

    /// <summary>What does not fit goes to the beginning again; else it is dropped.</summary>
    public bool WrapsAround { get; init; }

    /// <summary>From this byte on it refuses writes.</summary>
    public long BrokenFrom { get; init; } = long.MaxValue;

    /// <summary>A bit of this byte is another when it is read.</summary>
    public long? Flipped { get; init; }

    public Action<long>? Writing { get; init; }

    public bool IsFinished { get; private set; }

    public bool IsDisposed { get; private set; }

    /// <summary>Offsets that were written, in order.</summary>
    public List<long> Writes { get; } = [];

    public bool IsBlank => Card.AsSpan(0, 1 << 20).IndexOfAnyExcept((byte)0) < 0;

    public void Read(long offset, Span<byte> buffer)
    {
        for (var i = 0; i < buffer.Length; i += 512)
        {
            var at = WrapsAround ? (offset + i) % Card.Length : offset + i;
            if (at < Card.Length)
            {
                Card.AsSpan((int)at, 512).CopyTo(buffer[i..]);
            }
            else
            {
                buffer.Slice(i, 512).Clear();
            }
        }

        if (Flipped is { } bad && bad >= offset && bad < offset + buffer.Length)
        {
            buffer[(int)(bad - offset)] ^= 0x10;
        }
    }

    public void Write(long offset, ReadOnlySpan<byte> bytes)
    {
        Assert.That(offset % 512 + bytes.Length % 512, Is.Zero, "sectors");
        Writing?.Invoke(offset);
        if (offset + bytes.Length > BrokenFrom)
        {
            throw new FlashFault(FlashOutcome.WriteFailed, $"{Name} refused what was written at {offset}.", "Take another card.");
        }

        Writes.Add(offset);
        for (var i = 0; i < bytes.Length; i += 512)
        {
            var at = WrapsAround ? (offset + i) % Card.Length : offset + i;
            if (at < Card.Length)
            {
                bytes.Slice(i, 512).CopyTo(Card.AsSpan((int)at));
            }
        }
    }

    public void Sync()
    {
    }

    public void Finish() => IsFinished = true;

    public void Dispose() => IsDisposed = true;
}
