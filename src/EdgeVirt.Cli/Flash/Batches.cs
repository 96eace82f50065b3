using System.Collections.Concurrent;
using EdgeVirt.Linux.Storage;

namespace EdgeVirt.Cli.Flash;

/// <summary>A piece of a batch.</summary>
/// <param name="Offset">Where it belongs on the target.</param>
/// <param name="At">Where it is in the buffer, a multiple of <see cref="AlignedBuffer.Alignment"/>.</param>
/// <param name="Length">Bytes of the image.</param>
internal readonly record struct Piece(long Offset, int At, int Length)
{
    /// <summary>Bytes to write: up to the next sector; those behind the image's end are zeros.</summary>
    public int Padded => (Length + 511) / 512 * 512;
}

/// <summary>A buffer full of pieces, on its way to several targets; it goes back when the last has let go.</summary>
internal sealed class Batch : IDisposable
{
    public const int Capacity = 4 << 20;
    private readonly AlignedBuffer buffer = new(Capacity);
    private readonly BlockingCollection<Batch> home;
    private int users;
    private int filled;

    public Batch(BlockingCollection<Batch> home) => this.home = home;

    public List<Piece> Pieces { get; } = [];

    public int Bytes => Pieces.Sum(piece => piece.Length);

    public Span<byte> this[Piece piece] => buffer.Span.Slice(piece.At, piece.Length);

    public ReadOnlySpan<byte> Padded(Piece piece) => buffer.Span.Slice(piece.At, piece.Padded);

    /// <summary>Makes room for a piece, at most as long as wanted; null: it is full.</summary>
    public Piece? TryAdd(long offset, long wanted)
    {
        var room = Capacity - filled;
        if (room == 0)
        {
            return null;
        }

        var piece = new Piece(offset, filled, (int)Math.Min(wanted, room));
        buffer.Span[(piece.At + piece.Length)..(piece.At + piece.Padded)].Clear();
        filled = (int)AlignedBuffer.Up(filled + piece.Length);
        Pieces.Add(piece);
        return piece;
    }

    public void HandTo(int count) => users = count;

    public void Release()
    {
        if (Interlocked.Decrement(ref users) == 0)
        {
            GoHome();
        }
    }

    public void GoHome()
    {
        Pieces.Clear();
        filled = 0;
        home.Add(this);
    }

    public void Dispose() => buffer.Dispose();
}
