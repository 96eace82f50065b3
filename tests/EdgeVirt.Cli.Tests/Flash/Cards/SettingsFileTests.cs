using System.Buffers.Binary;
using System.IO.Hashing;
using EdgeVirt.Cli.Flash.Cards;
using EdgeVirt.Contracts.Boards;

namespace EdgeVirt.Cli.Tests.Flash.Cards;

/// <summary>The file of settings on cards that real tools made.</summary>
public sealed class SettingsFileTests
{
    private static readonly byte[] Content = BoardSettingsFile.Write(new BoardSettings { Hub = "hub.example.com:8444", NodeName = "oslo-17" });

    [TestCase(12, 8, "gpt", 8)]
    [TestCase(16, 4, "gpt", 32)]
    [TestCase(16, 128, "gpt", 300)]
    [TestCase(32, 1, "gpt", 64)]
    [TestCase(32, 8, "gpt", 300)]
    [TestCase(16, 4, "dos", 32)]
    [TestCase(32, 1, "dos", 64)]
    public void Is_found_and_overwritten_where_it_lies(int bits, int clusterSectors, string table, int size)
    {
        using var image = new CardImage(bits, clusterSectors, table, size).WithSettings();
        AssertOverwrites(image);
    }

    [Test]
    public void Is_found_on_a_disk_of_large_sectors()
    {
        using var image = new CardImage(16, 1, "gpt", 64, sectorBytes: 4096).WithSettings();
        AssertOverwrites(image);
    }

    [Test]
    public void May_lie_in_pieces()
    {
        using var image = new CardImage(16, 4, "gpt", 16).WithFragmentedSettings();
        Assert.That(AssertOverwrites(image).Ranges, Has.Count.GreaterThan(5), "the test made no pieces");
    }

    [Test]
    public void Is_found_in_a_directory_of_several_clusters_among_deleted_names()
    {
        using var image = new CardImage(16, 1, "gpt", 16);
        image.Mtools("mmd", "::/edgevirt");
        for (var n = 0; n < 40; n++)
        {
            image.Copy("other", [1], $"::/edgevirt/a name so long that it takes entries {n}.txt");
        }

        image.Copy("old", new byte[100], "::/edgevirt/settings.json");
        image.Mtools("mdel", "::/edgevirt/settings.json", "::/edgevirt/a name so long that it takes entries 7.txt");
        image.Copy("settings", BoardSettingsFile.Blank(), "::/edgevirt/settings.json");
        AssertOverwrites(image);
    }

    [Test]
    public void Names_that_only_resemble_it_are_not_taken()
    {
        using var image = new CardImage();
        image.Mtools("mmd", "::/edgevirt", "::/edgevirt.old");
        image.Copy("settings", BoardSettingsFile.Blank(), "::/edgevirt/settings.json.bak");
        image.Copy("settings", BoardSettingsFile.Blank(), "::/edgevirt.old/settings.json");
        image.Copy("settings", BoardSettingsFile.Blank(), "::/settings.json");
        AssertRefuses(image, "no file 'edgevirt/settings.json'");
    }

    [TestCase(100)]
    [TestCase(BoardSettings.FileBytes + 1)]
    public void Is_refused_where_it_has_another_size(int bytes)
    {
        using var image = new CardImage().WithSettings(new byte[bytes]);
        AssertRefuses(image, $"has {bytes} bytes; in an image it has 16384");
    }

    [Test]
    public void Foreign_cards_are_refused()
    {
        using var empty = new CardImage();
        AssertRefuses(empty, "no directory 'edgevirt'");
        using var zeros = new MemoryStream(new byte[1 << 20]);
        Assert.That(() => SettingsFile.Find(zeros, zeros.Length), Throws.TypeOf<CardLayoutException>().With.Message.Contains("no table of partitions"));
        using var tiny = new MemoryStream(new byte[100]);
        Assert.That(() => SettingsFile.Find(tiny, tiny.Length), Throws.TypeOf<CardLayoutException>());
        using var other = new CardImage(table: "dos");
        other.Change(other.Offset, new byte[512]);
        AssertRefuses(other, "describes no FAT");
        other.Change(446 + 4, 0x05);
        AssertRefuses(other, "extended");
        other.Change(446 + 4, 0xEE);
        AssertRefuses(other, "says that there is a GPT");
    }

    [TestCase(512 + 24, "header's checksum")]
    [TestCase(1024 + 8, "entries' checksum")]
    public void A_damaged_table_is_refused(int offset, string said)
    {
        using var image = new CardImage().WithSettings();
        image.Change(offset, (byte)~image.Bytes()[offset]);
        AssertRefuses(image, said);
    }

    [Test]
    public void A_table_that_leads_beyond_the_card_is_refused()
    {
        using var image = new CardImage().WithSettings();
        using (var card = image.Open())
        {
            Assert.That(() => SettingsFile.Find(card, 20 << 20), Throws.TypeOf<CardLayoutException>().With.Message.Contains("its first partition goes from sector"));
        }

        var bytes = image.Bytes();
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(1024 + 40), long.MaxValue);
        Seal(bytes);
        using var stream = new MemoryStream(bytes);
        Assert.That(() => SettingsFile.Find(stream, bytes.Length), Throws.TypeOf<CardLayoutException>().With.Message.Contains("its first partition goes from sector"));
    }

    [Test]
    public void A_damaged_chain_is_refused_before_anything_is_written()
    {
        using var image = new CardImage().WithSettings();
        using var card = image.Open();
        var first = (SettingsFile.Find(card, card.Length).Ranges[0].Offset - DataOffset(image)) / 2048 + 2;
        card.Dispose();
        var good = image.Bytes();
        var (fat, size) = (image.Offset + BinaryPrimitives.ReadUInt16LittleEndian(good.AsSpan((int)image.Offset + 14)) * 512L, BinaryPrimitives.ReadUInt16LittleEndian(good.AsSpan((int)image.Offset + 22)) * 512L);

        void Lead(long cluster, ushort to, bool both = true)
        {
            image.Change(fat + (cluster * 2), (byte)to, (byte)(to >> 8));
            if (both)
            {
                image.Change(fat + size + (cluster * 2), (byte)to, (byte)(to >> 8));
            }
        }

        Lead(first + 1, (ushort)first);
        AssertRefuses(image, "in a circle");
        Lead(first + 1, 0xFFFF);
        AssertRefuses(image, "has 2 clusters and needs 8");
        Lead(first + 1, 0);
        AssertRefuses(image, "to cluster 0, which there is not");
        Lead(first + 1, 0xFFF7);
        AssertRefuses(image, "which there is not");
        Lead(first + 1, (ushort)(first + 2));
        Lead(first + 7, 9);
        AssertRefuses(image, "through more than its 8 clusters");
        Lead(first + 7, 0xFFFF);
        Lead(first + 3, (ushort)(first + 5), both: false);
        AssertRefuses(image, "contradict each other");
        Lead(first + 3, (ushort)(first + 4));
        Assert.That(image.Bytes(), Is.EqualTo(good), "the damage was undone");
        AssertOverwrites(image);
    }

    [Test]
    public void Damage_anywhere_in_the_layout_never_leads_a_write_out_of_the_partition()
    {
        using var image = new CardImage(16, 4, "dos", 8).WithSettings();
        var good = image.Bytes();
        var random = new Random(5);
        var (refused, found) = (0, 0);
        for (var round = 0; round < 3000; round++)
        {
            var bytes = (byte[])good.Clone();
            for (var change = 0; change < 3; change++)
            {
                // Boot sector, FATs, root directory and the first clusters, or the table.
                var at = random.Next(4) == 0 ? random.Next(440, 512) : (int)image.Offset + random.Next(64 << 10);
                bytes[at] = (byte)random.Next(256);
            }

            using var card = new MemoryStream(bytes);
            try
            {
                var file = SettingsFile.Find(card, bytes.Length);
                Assert.That(file.Ranges.Sum(range => range.Length), Is.EqualTo(BoardSettings.FileBytes));
                Assert.That(file.Ranges, Has.All.Matches<CardRange>(range => range.Offset > 512 && range.Length > 0 && range.Offset + range.Length <= bytes.Length));
                found++;
            }
            catch (CardLayoutException)
            {
                refused++;
            }
        }

        Assert.That((refused > 0, found > 0), Is.EqualTo((true, true)), $"{refused} refused, {found} found");
    }

    private static SettingsFile AssertOverwrites(CardImage image)
    {
        var before = image.Bytes();
        using var card = image.Open();
        var file = SettingsFile.Find(card, card.Length);
        Assert.That(file.Read(card), Is.EqualTo(BoardSettingsFile.Blank()));
        file.Write(card, Content);
        Assert.That(SettingsFile.Find(card, card.Length).Read(card), Is.EqualTo(Content));
        card.Dispose();
        Assert.That(image.ReadBack(), Is.EqualTo(Content), "mtools reads something else");
        image.Check();

        var after = image.Bytes();
        foreach (var range in file.Ranges)
        {
            before.AsSpan((int)range.Offset, range.Length).Clear();
            after.AsSpan((int)range.Offset, range.Length).Clear();
        }

        Assert.That(after.AsSpan().SequenceEqual(before), Is.True, "more than the file changed");
        return file;
    }

    private static void AssertRefuses(CardImage image, string said)
    {
        using var card = image.Open();
        Assert.That(() => SettingsFile.Find(card, card.Length), Throws.TypeOf<CardLayoutException>().With.Message.Contains(said));
    }

    private static long DataOffset(CardImage image)
    {
        var boot = image.Bytes().AsSpan((int)image.Offset, 512);
        var sectors = BinaryPrimitives.ReadUInt16LittleEndian(boot[14..]) + (boot[16] * BinaryPrimitives.ReadUInt16LittleEndian(boot[22..]));
        return image.Offset + (sectors * 512L) + (BinaryPrimitives.ReadUInt16LittleEndian(boot[17..]) * 32L);
    }

    /// <summary>Makes the checksums of a changed GPT right.</summary>
    private static void Seal(byte[] bytes)
    {
        var header = bytes.AsSpan(512, 92);
        var table = bytes.AsSpan(1024, (int)(BinaryPrimitives.ReadUInt32LittleEndian(header[80..]) * BinaryPrimitives.ReadUInt32LittleEndian(header[84..])));
        BinaryPrimitives.WriteUInt32LittleEndian(header[88..], Crc32.HashToUInt32(table));
        header[16..20].Clear();
        BinaryPrimitives.WriteUInt32LittleEndian(header[16..], Crc32.HashToUInt32(header));
    }
}
