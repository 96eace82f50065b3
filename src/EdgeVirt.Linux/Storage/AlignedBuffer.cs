using System.Runtime.InteropServices;

namespace EdgeVirt.Linux.Storage;

/// <summary>Memory for <see cref="DirectFile"/>: begins at a multiple of a page, so of every sector.</summary>
/// <param name="bytes">Its size, a multiple of <see cref="Alignment"/>.</param>
public sealed unsafe class AlignedBuffer(int bytes) : IDisposable
{
    /// <summary>Bytes.</summary>
    public const int Alignment = 4096;

    private void* memory = NativeMemory.AlignedAlloc((nuint)bytes, Alignment);

    /// <summary>All of it; not cleared.</summary>
    public Span<byte> Span => memory is null ? throw new ObjectDisposedException(nameof(AlignedBuffer)) : new Span<byte>(memory, bytes);

    /// <summary>Next multiple of <see cref="Alignment"/>, or the number itself.</summary>
    public static long Up(long number) => (number + Alignment - 1) / Alignment * Alignment;

    /// <inheritdoc/>
    public void Dispose()
    {
        NativeMemory.AlignedFree(memory);
        memory = null;
        GC.SuppressFinalize(this);
    }

    /// <summary>Gives back what nobody disposed of.</summary>
    ~AlignedBuffer() => NativeMemory.AlignedFree(memory);
}
