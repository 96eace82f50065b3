using System.Buffers.Binary;
using System.IO.Hashing;

namespace EdgeVirt.Cli.Flash.Cards;

/// <summary>The first partition of a card: GPT (UEFI 2.10, 5.3) or MBR.</summary>
/// <param name="Offset">Bytes from the card's beginning.</param>
/// <param name="Length">Bytes.</param>
internal readonly record struct CardPartition(long Offset, long Length)
{
    private const int MbrBytes = 512;
    private const int HeaderBytes = 92;
    private const int MaxHeaderBytes = 512;
    private const int MinEntryBytes = 128;
    private const int MaxTableBytes = 1 << 20;
    private const byte ProtectiveType = 0xEE;
    private static readonly byte[] ExtendedTypes = [0x05, 0x0F, 0x85];

    /// <summary>Finds it.</summary>
    /// <param name="card">The whole card.</param>
    /// <param name="cardBytes">Its size; a block device's stream does not know it.</param>
    /// <exception cref="CardLayoutException">There is no table of partitions, it is damaged, or it has no first partition.</exception>
    public static CardPartition First(Stream card, long cardBytes)
    {
        var mbr = Read(card, cardBytes, 0, MbrBytes);
        foreach (var sector in (int[])[512, 4096])
        {
            if (cardBytes >= 2L * sector && Read(card, cardBytes, sector, MaxHeaderBytes) is var header && header.AsSpan(0, 8).SequenceEqual("EFI PART"u8))
            {
                return OfGpt(card, cardBytes, header, sector);
            }
        }

        if (mbr[510] != 0x55 || mbr[511] != 0xAA)
        {
            throw new CardLayoutException("it has no table of partitions");
        }

        return OfMbr(mbr.AsSpan(446, 16), cardBytes);
    }

    internal static byte[] Read(Stream card, long cardBytes, long offset, int length)
    {
        if (offset < 0 || offset + length > cardBytes)
        {
            throw new CardLayoutException($"it ends at byte {cardBytes}, before what should lie at byte {offset}");
        }

        var bytes = new byte[length];
        card.Position = offset;
        try
        {
            card.ReadExactly(bytes);
        }
        catch (EndOfStreamException)
        {
            throw new CardLayoutException($"it ends before byte {offset + length}");
        }

        return bytes;
    }

    private static CardPartition OfGpt(Stream card, long cardBytes, byte[] header, int sector)
    {
        var headerBytes = BinaryPrimitives.ReadUInt32LittleEndian(header.AsSpan(12));
        if (headerBytes is < HeaderBytes or > MaxHeaderBytes)
        {
            throw new CardLayoutException($"its table of partitions (GPT) is damaged: a header of {headerBytes} bytes");
        }

        var sum = BinaryPrimitives.ReadUInt32LittleEndian(header.AsSpan(16));
        header.AsSpan(16, 4).Clear();
        if (Crc32.HashToUInt32(header.AsSpan(0, (int)headerBytes)) != sum)
        {
            throw new CardLayoutException("its table of partitions (GPT) is damaged: the header's checksum is wrong");
        }

        var tableSector = BinaryPrimitives.ReadUInt64LittleEndian(header.AsSpan(72));
        var count = BinaryPrimitives.ReadUInt32LittleEndian(header.AsSpan(80));
        var entryBytes = BinaryPrimitives.ReadUInt32LittleEndian(header.AsSpan(84));
        if (count == 0 || entryBytes < MinEntryBytes || (ulong)count * entryBytes > MaxTableBytes || tableSector > (ulong)(cardBytes / sector))
        {
            throw new CardLayoutException($"its table of partitions (GPT) is damaged: {count} entries of {entryBytes} bytes at sector {tableSector}");
        }

        var table = Read(card, cardBytes, (long)tableSector * sector, (int)(count * entryBytes));
        if (Crc32.HashToUInt32(table) != BinaryPrimitives.ReadUInt32LittleEndian(header.AsSpan(88)))
        {
            throw new CardLayoutException("its table of partitions (GPT) is damaged: the entries' checksum is wrong");
        }

        if (!table.AsSpan(0, 16).ContainsAnyExcept((byte)0))
        {
            throw new CardLayoutException("it has no first partition");
        }

        var first = BinaryPrimitives.ReadUInt64LittleEndian(table.AsSpan(32));
        var last = BinaryPrimitives.ReadUInt64LittleEndian(table.AsSpan(40));
        return Within(first, last, sector, cardBytes);
    }

    private static CardPartition OfMbr(ReadOnlySpan<byte> entry, long cardBytes)
    {
        var (type, first, count) = (entry[4], BinaryPrimitives.ReadUInt32LittleEndian(entry[8..]), BinaryPrimitives.ReadUInt32LittleEndian(entry[12..]));
        if (type == ProtectiveType)
        {
            throw new CardLayoutException("its table of partitions says that there is a GPT, and there is none");
        }

        if (type == 0 || count == 0 || entry[0] is not (0 or 0x80))
        {
            throw new CardLayoutException("it has no first partition");
        }

        return ExtendedTypes.Contains(type)
            ? throw new CardLayoutException("its first partition is an extended one, which holds others")
            : Within(first, (ulong)first + count - 1, 512, cardBytes);
    }

    private static CardPartition Within(ulong first, ulong last, int sector, long cardBytes)
    {
        var sectors = (ulong)(cardBytes / sector);
        return first == 0 || last < first || last >= sectors
            ? throw new CardLayoutException($"its first partition goes from sector {first} to {last}, and it has {sectors} sectors")
            : new CardPartition((long)first * sector, (long)(last - first + 1) * sector);
    }
}
