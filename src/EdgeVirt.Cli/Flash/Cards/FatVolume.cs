using System.Buffers.Binary;

namespace EdgeVirt.Cli.Flash.Cards;

/// <summary>
/// A FAT file system (12, 16 or 32; Microsoft's "FAT32 File System Specification" 1.03), to be read only: its numbers, its directories, and where the
/// bytes of its files lie. Whatever contradicts itself is refused.
/// </summary>
internal sealed class FatVolume
{
    private const int BootBytes = 512;
    private const int MaxDirectoryBytes = 2 << 20;
    private readonly Stream card;
    private readonly CardPartition partition;
    private readonly int sectorBytes;
    private readonly long fatOffset;
    private readonly long fatBytes;
    private readonly int fats;
    private readonly long rootOffset;
    private readonly int rootBytes;
    private readonly uint rootCluster;
    private readonly long dataOffset;
    private readonly uint clusters;
    private readonly int bits;

    /// <exception cref="CardLayoutException">The partition holds no FAT, or a damaged one.</exception>
    public FatVolume(Stream card, CardPartition partition)
    {
        this.card = card;
        this.partition = partition;
        if (partition.Length < BootBytes)
        {
            throw Foreign("it is too small");
        }

        var boot = Read(0, BootBytes);
        sectorBytes = U16(boot, 11);
        int clusterSectors = boot[13], reserved = U16(boot, 14), rootEntries = U16(boot, 17);
        fats = boot[16];
        if (boot[510] != 0x55 || boot[511] != 0xAA || boot[0] is not (0xEB or 0xE9) || sectorBytes is not (512 or 1024 or 2048 or 4096) ||
            clusterSectors == 0 || !int.IsPow2(clusterSectors) || reserved == 0 || fats is not (1 or 2) || rootEntries * 32 % sectorBytes != 0)
        {
            throw Foreign("its boot sector describes no FAT");
        }

        // As Linux and GRUB tell FAT32 from the others: by this field, not by the number of clusters.
        var isFat32 = U16(boot, 22) == 0;
        long fatSectors = isFat32 ? U32(boot, 36) : U16(boot, 22);
        long total = U16(boot, 19) is > 0 and var small ? small : U32(boot, 32);
        if (isFat32 && (rootEntries != 0 || (U16(boot, 40) & 0x80) != 0 || U16(boot, 42) != 0))
        {
            throw Foreign("it is a FAT32 of a kind that is not known here (not mirrored, or of a later version)");
        }

        ClusterBytes = clusterSectors * sectorBytes;
        rootBytes = rootEntries * 32;
        fatOffset = (long)reserved * sectorBytes;
        fatBytes = fatSectors * sectorBytes;
        rootOffset = fatOffset + (fats * fatBytes);
        dataOffset = rootOffset + rootBytes;
        var dataBytes = (total * sectorBytes) - dataOffset;
        if (total * sectorBytes > partition.Length || fatSectors == 0 || dataBytes < ClusterBytes || dataBytes / ClusterBytes > 0x0FFF_FFF4)
        {
            throw Foreign($"its FAT describes {total} sectors of {sectorBytes} bytes, which do not fit its parts and the partition's {partition.Length} bytes");
        }

        clusters = (uint)(dataBytes / ClusterBytes);
        bits = isFat32 ? 32 : clusters < 4085 ? 12 : 16;
        rootCluster = isFat32 ? U32(boot, 44) : 0;
        if ((clusters + 2L) * bits > fatBytes * 8)
        {
            throw Foreign($"its FAT has no room for {clusters} clusters");
        }
    }

    /// <summary>Bytes of a cluster.</summary>
    public int ClusterBytes { get; }

    /// <summary>Clusters of the root directory; empty where it has a place of its own.</summary>
    public IReadOnlyList<uint> RootChain => bits == 32 ? Chain(rootCluster, "the root directory", MaxDirectoryBytes / 512) : [];

    /// <summary>All bytes of the root directory.</summary>
    public byte[] ReadRoot() => bits == 32 ? Read(RootChain) : Read(rootOffset, rootBytes);

    /// <summary>All bytes of some clusters.</summary>
    public byte[] Read(IReadOnlyList<uint> chain)
    {
        if ((long)chain.Count * ClusterBytes > MaxDirectoryBytes)
        {
            throw Foreign($"a directory has more than {MaxDirectoryBytes} bytes");
        }

        var bytes = new byte[chain.Count * ClusterBytes];
        for (var i = 0; i < chain.Count; i++)
        {
            Read(OffsetOf(chain[i]), ClusterBytes).CopyTo(bytes, i * ClusterBytes);
        }

        return bytes;
    }

    /// <summary>The clusters of a file or directory, in order, up to the mark of its end.</summary>
    /// <param name="first">The first one.</param>
    /// <param name="what">For messages.</param>
    /// <param name="atMost">How many there may be.</param>
    public IReadOnlyList<uint> Chain(uint first, string what, int atMost)
    {
        var chain = new List<uint>();
        var seen = new HashSet<uint>();
        for (var cluster = first; ; cluster = Next(cluster, what))
        {
            if (chain.Count > 0 && IsEnd(cluster))
            {
                return chain;
            }

            if (cluster < 2 || cluster - 2 >= clusters)
            {
                throw Foreign($"the FAT leads from {what} to cluster {cluster}, which there is not");
            }

            if (!seen.Add(cluster) || chain.Count == atMost)
            {
                throw Foreign($"the FAT leads {what} in a circle, or through more than its {atMost} clusters");
            }

            chain.Add(cluster);
        }
    }

    /// <summary>Where a cluster lies, bytes from the beginning of the card.</summary>
    public long CardOffsetOf(uint cluster) => partition.Offset + OffsetOf(cluster);

    /// <summary>Says what is wrong with the partition.</summary>
    public static CardLayoutException Foreign(string what) => new($"its first partition holds no file system of an image: {what}");

    private long OffsetOf(uint cluster) => dataOffset + ((cluster - 2L) * ClusterBytes);

    /// <summary>What the FAT says behind a cluster. Where there are two, both must say the same.</summary>
    private uint Next(uint cluster, string what)
    {
        var value = Entry(0, cluster);
        return fats == 1 || Entry(1, cluster) == value
            ? value
            : throw Foreign($"the two copies of the FAT contradict each other on {what}");
    }

    private uint Entry(int copy, uint cluster)
    {
        var at = fatOffset + (copy * fatBytes);
        switch (bits)
        {
            case 12:
                var pair = Read(at + (cluster * 3L / 2), 2);
                return cluster % 2 == 0 ? (uint)(U16(pair, 0) & 0xFFF) : (uint)(U16(pair, 0) >> 4);
            case 16:
                return (uint)U16(Read(at + (cluster * 2L), 2), 0);
            default:
                return U32(Read(at + (cluster * 4L), 4), 0) & 0x0FFF_FFFF;
        }
    }

    private bool IsEnd(uint value) => value >= (bits == 12 ? 0xFF8u : bits == 16 ? 0xFFF8u : 0x0FFF_FFF8u);

    private byte[] Read(long offset, int length) => CardPartition.Read(card, partition.Offset + partition.Length, partition.Offset + offset, length);

    private static int U16(byte[] bytes, int at) => BinaryPrimitives.ReadUInt16LittleEndian(bytes.AsSpan(at));

    private static uint U32(byte[] bytes, int at) => BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(at));
}
