using System.Buffers;
using System.Formats.Tar;
using System.Globalization;
using System.Text;

namespace EdgeVirt.Linux.Files;

/// <summary>
/// Writes a tar of POSIX.1-2001. The platform's writer is not used because it takes attributes as text: a capability set is no text.
/// Attributes are records <c>SCHILY.xattr.NAME</c>, as GNU tar and bsdtar write and read them.
/// </summary>
/// <param name="tar">Stays open.</param>
internal sealed class PaxWriter(Stream tar)
{
    private const int BlockBytes = 512;
    private const long MostOctal7 = 0x1FFFFF;
    private const long MostOctal11 = 0x1FFFFFFFF;
    private static readonly byte[] Zeros = new byte[2 * BlockBytes];

    /// <summary>Writes an entry with its content.</summary>
    /// <param name="entry">Type, names and content, whose length is known.</param>
    /// <param name="metadata">All else.</param>
    /// <param name="ct">Gives up; the tar is damaged then.</param>
    public async Task WriteAsync(PaxTarEntry entry, EntryMetadata metadata, CancellationToken ct)
    {
        var size = entry.DataStream?.Length ?? 0;
        var (name, link) = (Encoding.UTF8.GetBytes(entry.Name), Encoding.UTF8.GetBytes(entry.LinkName));
        var records = new ArrayBufferWriter<byte>();
        Add(records, "path", name, name.Length > 100 || !Ascii.IsValid(name));
        Add(records, "linkpath", link, link.Length > 100 || !Ascii.IsValid(link));
        Add(records, "size", Decimal(size), size > MostOctal11);
        Add(records, "uid", Decimal(metadata.User), metadata.User > MostOctal7);
        Add(records, "gid", Decimal(metadata.Group), metadata.Group > MostOctal7);
        Add(records, "mtime", Time(metadata), metadata.ModifiedSeconds is < 0 or > MostOctal11 || metadata.ModifiedNanoseconds > 0);
        foreach (var (attribute, value) in metadata.Attributes)
        {
            Add(records, "SCHILY.xattr." + attribute, value, isNeeded: true);
        }

        if (records.WrittenCount > 0)
        {
            await tar.WriteAsync(Header("PaxHeaders/entry"u8, default, 'x', records.WrittenCount, new EntryMetadata { Mode = 0x1A4 }), ct).ConfigureAwait(false);
            await tar.WriteAsync(records.WrittenMemory, ct).ConfigureAwait(false);
            await PadAsync(records.WrittenCount, ct).ConfigureAwait(false);
        }

        await tar.WriteAsync(Header(name, link, (char)entry.EntryType, size, metadata), ct).ConfigureAwait(false);
        if (size > 0)
        {
            await entry.DataStream!.CopyToAsync(tar, ct).ConfigureAwait(false);
            await PadAsync(size, ct).ConfigureAwait(false);
        }
    }

    /// <summary>Writes the end of the archive.</summary>
    public async Task EndAsync(CancellationToken ct) => await tar.WriteAsync(Zeros, ct).ConfigureAwait(false);

    private async Task PadAsync(long size, CancellationToken ct) =>
        await tar.WriteAsync(Zeros.AsMemory(0, (int)((BlockBytes - (size % BlockBytes)) % BlockBytes)), ct).ConfigureAwait(false);

    // Each says its own length first, the digits of the length included.
    private static void Add(ArrayBufferWriter<byte> records, string key, ReadOnlySpan<byte> value, bool isNeeded)
    {
        if (!isNeeded)
        {
            return;
        }

        var name = Encoding.Latin1.GetBytes(key);
        var rest = name.Length + value.Length + 3;
        var length = rest + Decimal(rest).Length;
        length = rest + Decimal(length).Length;
        records.Write(Decimal(length));
        records.Write(" "u8);
        records.Write(name);
        records.Write("="u8);
        records.Write(value);
        records.Write("\n"u8);
    }

    private static byte[] Decimal(long number) => Encoding.ASCII.GetBytes(number.ToString(CultureInfo.InvariantCulture));

    /// <summary>Decimal seconds; of a time before 1970 the fraction counts towards it.</summary>
    private static byte[] Time(EntryMetadata metadata)
    {
        var (seconds, nanoseconds) = (metadata.ModifiedSeconds, metadata.ModifiedNanoseconds);
        var sign = "";
        if (seconds < 0)
        {
            (sign, seconds, nanoseconds) = nanoseconds > 0 ? ("-", -seconds - 1, 1_000_000_000 - nanoseconds) : ("-", -seconds, 0);
        }

        return Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{sign}{seconds}.{nanoseconds:D9}"));
    }

    private static byte[] Header(ReadOnlySpan<byte> name, ReadOnlySpan<byte> link, char type, long size, EntryMetadata metadata)
    {
        var block = new byte[BlockBytes];
        name[..Math.Min(100, name.Length)].CopyTo(block);
        Octal(block.AsSpan(100, 8), metadata.Mode & 0xFFF);
        Octal(block.AsSpan(108, 8), metadata.User > MostOctal7 ? 0 : metadata.User);
        Octal(block.AsSpan(116, 8), metadata.Group > MostOctal7 ? 0 : metadata.Group);
        Octal(block.AsSpan(124, 12), size > MostOctal11 ? 0 : size);
        Octal(block.AsSpan(136, 12), Math.Clamp(metadata.ModifiedSeconds, 0, MostOctal11));
        block.AsSpan(148, 8).Fill((byte)' ');
        block[156] = (byte)type;
        link[..Math.Min(100, link.Length)].CopyTo(block.AsSpan(157));
        "ustar\u000000"u8.CopyTo(block.AsSpan(257));
        var sum = 0;
        foreach (var value in block)
        {
            sum += value;
        }

        Octal(block.AsSpan(148, 7), sum);
        return block;
    }

    private static void Octal(Span<byte> field, long number)
    {
        for (var i = field.Length - 2; i >= 0; i--)
        {
            field[i] = (byte)('0' + (number & 7));
            number >>= 3;
        }

        field[^1] = 0;
    }
}
