using System.Text;
using EdgeVirt.Node.Containers.Images.Layers;

namespace EdgeVirt.Node.Containers.Images.Deltas;

/// <summary>
/// Headers of one owner as the layer's writer makes them: one that was fetched, with the fields of another entry. How a writer ends and
/// fills its numbers, what it calls the owner and which magic it uses is taken from the one that was fetched.
/// </summary>
internal sealed class HeaderTemplate(ReadOnlySpan<byte> block)
{
    private readonly byte[] _block = block.ToArray();

    /// <summary>Writes an entry's header.</summary>
    /// <param name="entry">A plain one (<see cref="GapEntries"/>).</param>
    /// <param name="fileType">What the writer calls a regular file: <c>0</c>, or NUL.</param>
    /// <param name="header">512 bytes.</param>
    /// <exception cref="InvalidDataException">The writer has no room for its numbers.</exception>
    public void Write(ContentsEntry entry, byte fileType, Span<byte> header)
    {
        _block.CopyTo(header);
        Text(header[..100], entry.Name!);
        Number(header[100..108], entry.Mode);
        Number(header[124..136], entry.Size);
        Number(header[136..148], GapEntries.SecondsOf(entry.Modtime) ?? 0);
        header[156] = entry.Type switch { "dir" => (byte)'5', "symlink" => (byte)'2', "hardlink" => (byte)'1', "fifo" => (byte)'6', _ => fileType };
        Text(header[157..257], entry.LinkName ?? "");
        Number(header[148..156], Sum(header));
    }

    private static void Text(Span<byte> field, string text)
    {
        field.Clear();
        Encoding.ASCII.GetBytes(text, field);
    }

    /// <summary>As many octal digits as the template has there; what follows them stays.</summary>
    private static void Number(Span<byte> field, long number)
    {
        var digits = field.IndexOfAnyExceptInRange((byte)'0', (byte)'7') is var end and >= 0 ? end : field.Length;
        for (var i = digits - 1; i >= 0; i--, number >>= 3)
        {
            field[i] = (byte)('0' + (number & 7));
        }

        if (number != 0 || digits == 0)
        {
            throw new InvalidDataException("The layer's headers have no room for a number.");
        }
    }

    private static long Sum(ReadOnlySpan<byte> header)
    {
        long sum = 8 * ' ';
        for (var i = 0; i < TarHeader.Size; i++)
        {
            sum += i is >= 148 and < 156 ? 0 : header[i];
        }

        return sum;
    }
}
