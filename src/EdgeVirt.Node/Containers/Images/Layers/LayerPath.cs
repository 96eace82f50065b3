using System.Text;

namespace EdgeVirt.Node.Containers.Images.Layers;

/// <summary>Names in layers: relative, without <c>..</c>, of a depth and length that every tool can still remove.</summary>
internal static class LayerPath
{
    private const int MaxLength = 4000;
    private const int MaxDepth = 200;
    private const int MaxName = 255;

    /// <summary>The name without leading <c>./</c>, doubled or closing slashes; empty for the layer's root.</summary>
    public static byte[] Normalise(ReadOnlySpan<byte> name)
    {
        if (name is [(byte)'/', ..])
        {
            throw Escaping(name, "is absolute");
        }

        if (name.IsEmpty || name.Length > MaxLength || name.Contains((byte)0))
        {
            throw Escaping(name[..Math.Min(name.Length, 200)], "is no usable name");
        }

        var parts = new List<byte>(name.Length);
        var depth = 0;
        foreach (var range in name.Split((byte)'/'))
        {
            var part = name[range];
            if (part.SequenceEqual(".."u8))
            {
                throw Escaping(name, "contains '..'");
            }

            if (part.IsEmpty || part.SequenceEqual("."u8))
            {
                continue;
            }

            if (part.Length > MaxName || ++depth > MaxDepth)
            {
                throw Escaping(name[..Math.Min(name.Length, 200)], "is too long or too deep");
            }

            if (parts.Count > 0)
            {
                parts.Add((byte)'/');
            }

            parts.AddRange(part);
        }

        return [.. parts];
    }

    /// <summary>The last part, and what is before it without the slash.</summary>
    public static ReadOnlySpan<byte> FileName(ReadOnlySpan<byte> path, out ReadOnlySpan<byte> directory)
    {
        var slash = path.LastIndexOf((byte)'/');
        directory = slash < 0 ? default : path[..slash];
        return path[(slash + 1)..];
    }

    private static ImageRefusedException Escaping(ReadOnlySpan<byte> name, string what) =>
        new(ImageRefusedReason.EscapingPath, $"Layer refused: the name '{Encoding.UTF8.GetString(name)}' {what}.");
}
