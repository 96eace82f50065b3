using System.Buffers.Binary;
using System.Text;

namespace EdgeVirt.Cli.Flash.Cards;

/// <summary>An entry of a directory.</summary>
internal sealed record FatEntry(string Name, string ShortName, bool IsDirectory, uint FirstCluster, uint Bytes);

/// <summary>Entries of a FAT directory, with long names where the checksum says that they belong to the short one.</summary>
internal static class FatDirectory
{
    private const int EntryBytes = 32;
    private const int LongNameAttribute = 0x0F;
    private const int VolumeAttribute = 0x08;
    private const int DirectoryAttribute = 0x10;
    private const int LastPart = 0x40;
    private static readonly int[] Characters = [1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30];

    /// <summary>The entry of a name, in which case does not matter; null: there is none.</summary>
    public static FatEntry? Find(byte[] directory, string name) => Entries(directory).FirstOrDefault(entry =>
        string.Equals(entry.Name, name, StringComparison.OrdinalIgnoreCase) || string.Equals(entry.ShortName, name, StringComparison.OrdinalIgnoreCase));

    private static IEnumerable<FatEntry> Entries(byte[] directory)
    {
        var name = new LongName();
        for (var at = 0; at < directory.Length && directory[at] != 0; at += EntryBytes)
        {
            var entry = directory.AsMemory(at, EntryBytes);
            var attributes = entry.Span[11];
            if (entry.Span[0] == 0xE5)
            {
                name.Clear();
            }
            else if ((attributes & 0x3F) == LongNameAttribute)
            {
                name.Add(entry.Span);
            }
            else
            {
                var longName = name.Take(entry.Span);
                if ((attributes & VolumeAttribute) == 0)
                {
                    yield return Of(entry.Span, longName);
                }
            }
        }
    }

    private static FatEntry Of(ReadOnlySpan<byte> entry, string? longName)
    {
        var (stem, extension) = (Encoding.Latin1.GetString(entry[..8]).TrimEnd(), Encoding.Latin1.GetString(entry[8..11]).TrimEnd());
        var shortName = extension.Length == 0 ? stem : $"{stem}.{extension}";
        var cluster = ((uint)BinaryPrimitives.ReadUInt16LittleEndian(entry[20..]) << 16) | BinaryPrimitives.ReadUInt16LittleEndian(entry[26..]);
        return new FatEntry(longName ?? shortName, shortName, (entry[11] & DirectoryAttribute) != 0, cluster, BinaryPrimitives.ReadUInt32LittleEndian(entry[28..]));
    }

    /// <summary>Parts of a long name, which stand in front of its entry, the last one first.</summary>
    private sealed class LongName
    {
        private readonly Dictionary<int, string> parts = [];
        private int count;
        private byte checksum;

        public void Clear() => count = 0;

        public void Add(ReadOnlySpan<byte> entry)
        {
            var number = entry[0] & 0x3F;
            if ((entry[0] & LastPart) != 0)
            {
                parts.Clear();
                (count, checksum) = (number, entry[13]);
            }

            if (entry[13] != checksum)
            {
                count = 0;
            }

            var text = new StringBuilder();
            foreach (var at in Characters)
            {
                var c = (char)BinaryPrimitives.ReadUInt16LittleEndian(entry[at..]);
                if (c == 0)
                {
                    break;
                }

                text.Append(c);
            }

            parts[number] = text.ToString();
        }

        /// <summary>The name, if it is whole and belongs to this entry.</summary>
        public string? Take(ReadOnlySpan<byte> entry)
        {
            byte sum = 0;
            foreach (var b in entry[..11])
            {
                sum = (byte)(((sum & 1) << 7) + (sum >> 1) + b);
            }

            var name = count > 0 && sum == checksum && Enumerable.Range(1, count).All(parts.ContainsKey)
                ? string.Concat(Enumerable.Range(1, count).Select(number => parts[number]))
                : null;
            count = 0;
            return name;
        }
    }
}
