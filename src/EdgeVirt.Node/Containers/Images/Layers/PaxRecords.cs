using System.Buffers;
using System.Buffers.Text;
using System.Text;
using EdgeVirt.Linux.Files;

namespace EdgeVirt.Node.Containers.Images.Layers;

/// <summary>Extended header of POSIX.1-2001: what the fixed header has no room for.</summary>
internal sealed class PaxRecords
{
    /// <summary>Of all records that are in force at a time. Global ones pile up, and each entry takes them along: one header's limit alone bounds nothing.</summary>
    private const int MaxBytes = 1 << 20;

    /// <inheritdoc cref="MaxBytes"/>
    private const int MaxRecords = 1000;

    private const string AttributePrefix = "SCHILY.xattr.";
    private static readonly SearchValues<byte> s_digits = SearchValues.Create("0123456789"u8);

    private readonly Dictionary<string, byte[]> _values = [];
    private int _bytes;

    /// <summary>Reads <c>length key=value\n</c> records; later ones win, an empty value removes.</summary>
    public void Read(ReadOnlySpan<byte> content)
    {
        while (!content.IsEmpty)
        {
            if (!Utf8Parser.TryParse(content, out int length, out var digits) || length > content.Length || digits + 3 > length
                || content[digits] != ' ' || content[length - 1] != '\n' || content[(digits + 1)..length].IndexOf((byte)'=') is var equals && equals <= 0)
            {
                throw TarReader.Damaged("a pax record is malformed");
            }

            var record = content[(digits + 1)..(length - 1)];
            var key = Encoding.Latin1.GetString(record[..equals]);
            if (key.StartsWith("GNU.sparse.", StringComparison.Ordinal))
            {
                throw new ImageRefusedException(ImageRefusedReason.UnsupportedEntry, "Layer refused: it has a sparse file, which image layers must not.");
            }

            Put(key, record[(equals + 1)..].ToArray());
            content = content[length..];
        }
    }

    public void Merge(PaxRecords other)
    {
        foreach (var (key, value) in other._values)
        {
            Put(key, value);
        }
    }

    private void Put(string key, byte[] value)
    {
        _bytes += key.Length + value.Length - (_values.TryGetValue(key, out var old) ? key.Length + old.Length : 0);
        _values[key] = value;
        if (_bytes > MaxBytes || _values.Count > MaxRecords)
        {
            throw TarReader.Damaged("it has more pax records than entries can have");
        }
    }

    public byte[]? Bytes(string key) => _values.GetValueOrDefault(key) is { Length: > 0 } value ? value : null;

    public long? Number(string key) => Bytes(key) is not { } text ? null
        : Utf8Parser.TryParse(text, out long number, out var used) && used == text.Length ? number
        : throw TarReader.Damaged($"pax record {key} is no number");

    /// <summary>Seconds and nanoseconds of a decimal time; the fraction always counts forward.</summary>
    public (long Seconds, int Nanoseconds)? Time(string key)
    {
        if (Bytes(key) is not { } text)
        {
            return null;
        }

        if (!Utf8Parser.TryParse(text, out long seconds, out var used))
        {
            throw TarReader.Damaged($"pax record {key} is no time");
        }

        var nanoseconds = 0;
        if (used < text.Length)
        {
            var fraction = text.AsSpan(used + 1);
            if (text[used] != '.' || fraction.ContainsAnyExcept(s_digits))
            {
                throw TarReader.Damaged($"pax record {key} is no time");
            }

            for (var i = 0; i < 9; i++)
            {
                nanoseconds = (nanoseconds * 10) + (i < fraction.Length ? fraction[i] - '0' : 0);
            }
        }

        return text[0] == '-' && nanoseconds > 0 ? (seconds - 1, 1_000_000_000 - nanoseconds) : (seconds, nanoseconds);
    }

    /// <summary>
    /// The extended attributes. Those that steer overlayfs are left out: in a layer's directory they would
    /// redirect the mount, and a layer has whiteouts for what it may say.
    /// </summary>
    public List<ExtendedAttribute> Attributes()
    {
        List<ExtendedAttribute> attributes = [];
        foreach (var (key, value) in _values)
        {
            if (key.StartsWith(AttributePrefix, StringComparison.Ordinal) && key[AttributePrefix.Length..] is { Length: > 0 and <= 255 } name
                && !name.Contains('\0', StringComparison.Ordinal)
                && !name.StartsWith("trusted.overlay.", StringComparison.Ordinal) && !name.StartsWith("user.overlay.", StringComparison.Ordinal))
            {
                attributes.Add(new ExtendedAttribute(name, value));
            }
        }

        return attributes;
    }
}
