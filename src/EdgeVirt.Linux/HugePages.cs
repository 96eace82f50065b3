using System.Globalization;

namespace EdgeVirt.Linux;

/// <summary>The kernel's pools of huge pages.</summary>
/// <param name="root">Their directory in sysfs; elsewhere only in tests.</param>
public sealed class HugePages(string root = "/sys/kernel/mm/hugepages")
{
    /// <summary>What all pools take of the node's memory, bytes, used or not.</summary>
    public long TotalBytes => Directory.Exists(root)
        ? Directory.EnumerateDirectories(root, "hugepages-*kB").Sum(pool => (Number(pool, "nr_hugepages") ?? 0) * KibOf(pool) << 10)
        : 0;

    /// <summary>Bytes of pages of a size that nobody has and nobody was promised; null: the kernel has no pages of that size.</summary>
    public long? FreeBytes(long pageBytes)
    {
        var pool = Path.Combine(root, string.Create(CultureInfo.InvariantCulture, $"hugepages-{pageBytes >> 10}kB"));
        return Number(pool, "free_hugepages") is { } free ? Math.Max(free - (Number(pool, "resv_hugepages") ?? 0), 0) * pageBytes : null;
    }

    private static long KibOf(string pool) =>
        long.TryParse(Path.GetFileName(pool)["hugepages-".Length..^"kB".Length], NumberStyles.None, CultureInfo.InvariantCulture, out var size) ? size : 0;

    private static long? Number(string pool, string name)
    {
        var file = Path.Combine(pool, name);
        return File.Exists(file) && long.TryParse(File.ReadAllText(file), CultureInfo.InvariantCulture, out var value) ? value : null;
    }
}
