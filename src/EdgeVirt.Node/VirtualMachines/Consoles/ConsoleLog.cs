using EdgeVirt.Linux.Storage;
using Microsoft.Win32.SafeHandles;

namespace EdgeVirt.Node.VirtualMachines.Consoles;

/// <summary>
/// What guests wrote to a serial console: the end of a file to which QEMU appends for ever. Its head is given back to the file system as it grows,
/// so that an offset in it means the same bytes, or none, for as long as it is there.
/// </summary>
internal sealed class ConsoleLog : IDisposable
{
    /// <summary>Bytes at the end that are there to be read.</summary>
    public const long Kept = 1 << 20;

    private const long Slack = 256 << 10;
    private const long Block = 4096;

    private readonly SafeFileHandle file;
    private long bounded;

    private ConsoleLog(SafeFileHandle file, long position) => (this.file, Position) = (file, position);

    /// <summary>Offset of the next byte.</summary>
    public long Position { get; private set; }

    /// <summary>Gives back the space of what is not kept.</summary>
    /// <exception cref="IOException">The file system refused.</exception>
    public static void Bound(string path)
    {
        if (!File.Exists(path))
        {
            return;
        }

        using var file = File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
        Bound(file, RandomAccess.GetLength(file));
    }

    /// <summary>Opens a console's log to read its last lines, and what comes after them. Null: nothing was ever written.</summary>
    /// <param name="path">The log.</param>
    /// <param name="lines">From the end, one that is not complete among them; negative: all that is kept.</param>
    public static ConsoleLog? Open(string path, long lines)
    {
        if (!File.Exists(path))
        {
            return null;
        }

        var file = File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
        return new ConsoleLog(file, StartOf(file, lines));
    }

    /// <summary>Reads what was written since the last time.</summary>
    /// <param name="buffer">Takes it.</param>
    /// <param name="missed">Whether more was written before it than is kept.</param>
    /// <returns>Bytes; 0: nothing new.</returns>
    public int Read(Span<byte> buffer, out bool missed)
    {
        missed = false;
        while (true)
        {
            var read = RandomAccess.Read(file, buffer, Position);
            var length = RandomAccess.GetLength(file);
            if (length > bounded + Slack)
            {
                Bound(file, length);
                bounded = length;
            }

            if (Position >= length - Kept)
            {
                Position += read;
                return read;
            }

            // What was read may have been given back before.
            Position = length - Kept;
            missed = true;
        }
    }

    public void Dispose() => file.Dispose();

    private static void Bound(SafeFileHandle file, long length)
    {
        if (length > Kept + Slack)
        {
            FileHoles.Make(file, 0, (length - Kept) / Block * Block);
        }
    }

    private static long StartOf(SafeFileHandle file, long lines)
    {
        var length = RandomAccess.GetLength(file);
        var begin = Math.Max(0, length - Kept);
        if (lines <= 0)
        {
            return lines == 0 ? length : begin;
        }

        var kept = new byte[length - begin];
        var count = RandomAccess.Read(file, kept, begin);
        // The newline at the very end ends a line and begins none.
        for (var at = count - 1; at > 0; at--)
        {
            if (kept[at - 1] == (byte)'\n' && --lines == 0)
            {
                return begin + at;
            }
        }

        return begin;
    }
}
