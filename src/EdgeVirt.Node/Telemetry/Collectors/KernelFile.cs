using System.Buffers.Text;

namespace EdgeVirt.Node.Telemetry;

/// <summary>Reads files of /proc and /sys into one buffer that is used again and again.</summary>
internal sealed class KernelFile
{
    private byte[] buffer = new byte[4096];

    /// <summary>The content, valid until the next call; empty where the file is not there or cannot be read.</summary>
    public ReadOnlySpan<byte> Read(string path)
    {
        try
        {
            using var handle = File.OpenHandle(path, options: FileOptions.None);
            var total = 0;
            while (true)
            {
                var read = RandomAccess.Read(handle, buffer.AsSpan(total), total);
                if (read == 0)
                {
                    return buffer.AsSpan(0, total);
                }

                total += read;
                if (total == buffer.Length)
                {
                    Array.Resize(ref buffer, buffer.Length * 2);
                }
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return default;
        }
    }

    /// <summary>Takes the next line off <paramref name="text"/>; false at the end.</summary>
    public static bool TryLine(ref ReadOnlySpan<byte> text, out ReadOnlySpan<byte> line)
    {
        if (text.IsEmpty)
        {
            line = default;
            return false;
        }

        var end = text.IndexOf((byte)'\n');
        line = end < 0 ? text : text[..end];
        text = end < 0 ? default : text[(end + 1)..];
        return true;
    }

    /// <summary>Takes the next word (between blanks) off <paramref name="line"/>; empty at the end.</summary>
    public static ReadOnlySpan<byte> Word(ref ReadOnlySpan<byte> line)
    {
        line = line.TrimStart(" \t"u8);
        var end = line.IndexOfAny((byte)' ', (byte)'\t');
        var word = end < 0 ? line : line[..end];
        line = end < 0 ? default : line[end..];
        return word;
    }

    /// <summary>Takes the next word off <paramref name="line"/> as a number; NaN where it is none.</summary>
    public static double Number(ref ReadOnlySpan<byte> line) => Number(Word(ref line));

    /// <summary>The number at the start of <paramref name="text"/>; NaN where there is none.</summary>
    public static double Number(ReadOnlySpan<byte> text) => Utf8Parser.TryParse(text.Trim(" \t\n"u8), out double value, out _) ? value : double.NaN;
}
