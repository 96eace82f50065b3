using EdgeVirt.Contracts.Boards;
using EdgeVirt.Testing;

namespace EdgeVirt.Cli.Tests.Flash.Cards;

/// <summary>A disk image as an image of the node OS is laid out, made by the tools of the trade: sfdisk, mkfs.vfat, mtools.</summary>
internal sealed class CardImage : IDisposable
{
    private readonly TempDirectory directory = new();
    private readonly long partitionMiB;

    /// <param name="fatBits">12, 16 or 32.</param>
    /// <param name="clusterSectors">Sectors of 512 bytes in a cluster.</param>
    /// <param name="table">gpt or dos.</param>
    /// <param name="partitionMiB">Size of the first partition.</param>
    /// <param name="sectorBytes">Logical sectors of the disk.</param>
    public CardImage(int fatBits = 16, int clusterSectors = 4, string table = "gpt", long partitionMiB = 32, int sectorBytes = 512)
    {
        this.partitionMiB = partitionMiB;
        Path = directory.Combine("card.img");
        using (var file = File.Create(Path))
        {
            file.SetLength((partitionMiB + 8) << 20);
        }

        var type = table == "gpt" ? "U" : fatBits == 32 ? "c" : "6";
        File.WriteAllText(directory.Combine("layout"), $"label: {table}\nstart=1MiB, size={partitionMiB}MiB, type={type}\nsize=2MiB, type={(table == "gpt" ? "L" : "83")}\n");
        Command.Run("sh", "-c", $"sfdisk --quiet {(sectorBytes == 512 ? "" : $"--sector-size {sectorBytes}")} '{Path}' < '{directory.Combine("layout")}'");
        Command.Run(
            "mkfs.vfat", "-F", $"{fatBits}", "-s", $"{clusterSectors}", "-S", $"{sectorBytes}", "-n", "ESP", "--offset", $"{(1 << 20) / sectorBytes}", Path, $"{partitionMiB << 10}");
    }

    public string Path { get; }

    public long Offset { get; } = 1 << 20;

    /// <summary>As the image recipe does it.</summary>
    public CardImage WithSettings(byte[]? content = null)
    {
        Mtools("mmd", "::/EFI", "::/EFI/BOOT", "::/edgevirt");
        Copy("grubx64.efi", new byte[70_000], "::/EFI/BOOT/a long name that takes several entries.efi");
        Copy("settings", content ?? BoardSettingsFile.Blank(), "::/edgevirt/settings.json");
        return this;
    }

    /// <summary>Like <see cref="WithSettings"/>, with the file in many pieces.</summary>
    public CardImage WithFragmentedSettings()
    {
        Mtools("mmd", "::/edgevirt");
        // A partition filled with small files of which every other one goes leaves nothing but holes.
        for (var n = 0; n < 24; n++)
        {
            Copy("filler", new byte[2048], $"::/filler{n:00}.bin");
        }

        Fill();
        for (var n = 0; n < 24; n += 2)
        {
            Mtools("mdel", $"::/filler{n:00}.bin");
        }

        Copy("settings", BoardSettingsFile.Blank(), "::/edgevirt/settings.json");
        return this;
    }

    public void Copy(string name, byte[] content, string target)
    {
        var path = directory.Combine(name);
        File.WriteAllBytes(path, content);
        Mtools("mcopy", "-o", path, target);
    }

    /// <summary>The file as mtools reads it.</summary>
    public byte[] ReadBack()
    {
        var path = directory.Combine("back");
        Mtools("mcopy", "-o", "-n", "::/edgevirt/settings.json", path);
        return File.ReadAllBytes(path);
    }

    /// <summary>What fsck.vfat says of the partition; it fails where something is wrong.</summary>
    public void Check()
    {
        var partition = directory.Combine("partition.img");
        using (var from = File.OpenRead(Path))
        using (var to = File.Create(partition))
        {
            from.Position = Offset;
            var buffer = new byte[partitionMiB << 20];
            from.ReadExactly(buffer);
            to.Write(buffer);
        }

        Command.Run("fsck.vfat", "-n", partition);
    }

    public string Mtools(string tool, params IReadOnlyList<string> arguments) => Command.Run(tool, ["-i", $"{Path}@@{Offset}", .. arguments]);

    public FileStream Open() => new(Path, FileMode.Open, FileAccess.ReadWrite);

    public byte[] Bytes() => File.ReadAllBytes(Path);

    public void Change(long offset, params byte[] bytes)
    {
        using var file = Open();
        file.Position = offset;
        file.Write(bytes);
    }

    public void Dispose() => directory.Dispose();

    /// <summary>One file takes all the rest.</summary>
    private void Fill()
    {
        var free = long.Parse(Mtools("minfo", "::").Split('\n').Single(line => line.StartsWith("free clusters=", StringComparison.Ordinal)).Split('=')[1]);
        Assert.That(free, Is.Positive);
        Copy("rest", new byte[free * 2048], "::/rest.bin");
    }
}
