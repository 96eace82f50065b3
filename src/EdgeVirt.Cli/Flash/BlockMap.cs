using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Xml;

namespace EdgeVirt.Cli.Flash;

/// <summary>Bytes of an image that have to be on the card.</summary>
/// <param name="Offset">Where they begin, bytes.</param>
/// <param name="Length">How many.</param>
/// <param name="Sha256">What they have to be; null: nobody says.</param>
internal sealed record MappedRange(long Offset, long Length, byte[]? Sha256)
{
    public long End => Offset + Length;
}

/// <summary>
/// Which parts of an image hold data: bmap 2.0 with SHA-256, as <c>bmaptool create</c> writes it. Ranges are in order and do not touch the same block twice.
/// </summary>
/// <param name="ImageBytes">Size of the image.</param>
/// <param name="Ranges">In ascending order.</param>
internal sealed record BlockMap(long ImageBytes, IReadOnlyList<MappedRange> Ranges)
{
    private const int Sector = 512;
    private const int MostRanges = 1 << 20;
    private const long SegmentBytes = 16 << 20;

    public long MappedBytes => Ranges.Sum(range => range.Length);

    /// <summary>For an image without a map: all of it, in segments.</summary>
    public static BlockMap Whole(long imageBytes)
    {
        var ranges = new List<MappedRange>();
        for (long at = 0; at < imageBytes; at += SegmentBytes)
        {
            ranges.Add(new MappedRange(at, Math.Min(SegmentBytes, imageBytes - at), null));
        }

        return new BlockMap(imageBytes, ranges);
    }

    /// <summary>Reads a map and checks it against the checksum that it carries of itself.</summary>
    /// <param name="bytes">The file.</param>
    /// <param name="name">What to call it in a fault.</param>
    /// <exception cref="CliException">It is damaged, or of another version.</exception>
    public static BlockMap Parse(byte[] bytes, string name)
    {
        try
        {
            var fields = new Dictionary<string, string>(StringComparer.Ordinal);
            var ranges = new List<(string Blocks, string? Sha256)>();
            var version = Read(bytes, fields, ranges);
            Expect(version.StartsWith("2.", StringComparison.Ordinal), $"its version is '{version}', and only 2 is read");
            Expect(fields.GetValueOrDefault("ChecksumType") is "sha256", $"its checksums are '{fields.GetValueOrDefault("ChecksumType")}', and only sha256 is read");
            CheckItself(bytes, fields.GetValueOrDefault("BmapFileChecksum") ?? throw new FormatException("it has no BmapFileChecksum"));
            var (size, block) = (Number(fields, "ImageSize"), Number(fields, "BlockSize"));
            Expect(size > 0 && block > 0 && block % Sector == 0, "its ImageSize or BlockSize is impossible");
            var map = new BlockMap(size, ToRanges(ranges, size, block));
            Expect(map.Ranges.Sum(range => (range.Length + block - 1) / block) == Number(fields, "MappedBlocksCount"), "its ranges are not as many blocks as it says");
            return map;
        }
        catch (Exception fault) when (fault is XmlException or FormatException or OverflowException)
        {
            throw new CliException(ExitCodes.BadImage, $"the block map '{name}' cannot be used: {fault.Message.TrimEnd('.')}.", "Get the image and its files again, or make the map anew with 'bmaptool create'.");
        }
    }

    private static string Read(byte[] bytes, Dictionary<string, string> fields, List<(string Blocks, string? Sha256)> ranges)
    {
        var settings = new XmlReaderSettings { DtdProcessing = DtdProcessing.Prohibit, XmlResolver = null, IgnoreComments = true, IgnoreWhitespace = true };
        using var reader = XmlReader.Create(new MemoryStream(bytes), settings);
        Expect(reader.MoveToContent() == XmlNodeType.Element && reader.Name == "bmap", "it is no block map");
        var version = reader.GetAttribute("version") ?? "";
        reader.Read();
        while (!reader.EOF)
        {
            if (reader.NodeType != XmlNodeType.Element || reader.Name == "BlockMap")
            {
                reader.Read();
            }
            else if (reader.Name == "Range")
            {
                Expect(ranges.Count < MostRanges, "it has more ranges than any image");
                var sum = reader.GetAttribute("chksum");
                ranges.Add((reader.ReadElementContentAsString().Trim(), sum));
            }
            else
            {
                var name = reader.Name;
                fields[name] = reader.ReadElementContentAsString().Trim();
            }
        }

        return version;
    }

    private static List<MappedRange> ToRanges(List<(string Blocks, string? Sha256)> texts, long size, long block)
    {
        var ranges = new List<MappedRange>();
        long end = 0;
        foreach (var (blocks, sum) in texts)
        {
            var ends = blocks.Split('-', 2, StringSplitOptions.TrimEntries);
            var first = long.Parse(ends[0], NumberStyles.None, CultureInfo.InvariantCulture);
            var last = long.Parse(ends[^1], NumberStyles.None, CultureInfo.InvariantCulture);
            var offset = checked(first * block);
            var length = Math.Min(checked((last + 1) * block), size) - offset;
            Expect(last >= first && offset >= end && length > 0 && last < (size + block - 1) / block, $"its range {blocks} is out of order or beyond the image");
            ranges.Add(new MappedRange(offset, length, sum is { Length: 64 } ? Convert.FromHexString(sum) : throw new FormatException($"its range {blocks} has no SHA-256")));
            end = offset + length;
        }

        return ranges;
    }

    // The checksum is that of the file with zeros in the checksum's place.
    private static void CheckItself(byte[] bytes, string checksum)
    {
        Expect(checksum.Length == 64, "its BmapFileChecksum is no SHA-256");
        var copy = bytes.AsSpan().ToArray();
        var at = copy.AsSpan().IndexOf(Encoding.ASCII.GetBytes(checksum));
        copy.AsSpan(at, checksum.Length).Fill((byte)'0');
        Expect(SHA256.HashData(copy).AsSpan().SequenceEqual(Convert.FromHexString(checksum)), "it is damaged: its checksum of itself does not fit");
    }

    private static long Number(Dictionary<string, string> fields, string name) =>
        long.TryParse(fields.GetValueOrDefault(name), NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : throw new FormatException($"it has no {name}");

    private static void Expect(bool holds, string otherwise)
    {
        if (!holds)
        {
            throw new FormatException(otherwise);
        }
    }
}
