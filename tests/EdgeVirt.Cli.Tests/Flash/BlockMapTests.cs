using System.Text;
using EdgeVirt.Cli.Flash;

namespace EdgeVirt.Cli.Tests.Flash;

public sealed class BlockMapTests
{
    private static readonly string Text = new SampleDisk(20, (0, 3), (7, 7), (12, 19)).Map;

    [Test]
    public void Ranges_have_offset_length_and_digest()
    {
        var map = Parse(Text);
        Assert.That(map.ImageBytes, Is.EqualTo(20 * 4096));
        Assert.That(map.Ranges.Select(range => (range.Offset, range.Length)), Is.EqualTo(new (long, long)[] { (0, 16384), (7 * 4096, 4096), (12 * 4096, 8 * 4096) }));
        Assert.That(map.Ranges.All(range => range.Sha256 is { Length: 32 }), Is.True);
        Assert.That(map.MappedBytes, Is.EqualTo(13 * 4096));
    }

    [TestCase(" 7 ", " 8 ", "checksum of itself", TestName = "A_changed_map_is_noticed")]
    [TestCase("version=\"2.0\"", "version=\"1.3\"", "version is '1.3'", TestName = "An_older_version_is_refused")]
    [TestCase("sha256", "sha1", "only sha256", TestName = "Another_kind_of_checksum_is_refused")]
    [TestCase("<bmap", "<!DOCTYPE x [<!ENTITY y SYSTEM \"file:///etc/passwd\">]><bmap", "DTD", TestName = "A_document_type_is_refused")]
    [TestCase("</bmap>", "", "cannot be used", TestName = "A_map_that_is_cut_off_is_refused")]
    public void A_bad_map_is_refused(string old, string changed, string why) => AssertRefused(Text.Replace(old, changed, StringComparison.Ordinal), why);

    [TestCase("0-3", "3-0", "out of order")]
    [TestCase(" 7 ", " 2 ", "out of order")]
    [TestCase("12-19", "12-90", "beyond the image")]
    [TestCase(" 7 ", " 99999999999999999999 ", "cannot be used")]
    [TestCase("chksum", "sha1", "no SHA-256")]
    [TestCase("<MappedBlocksCount> 13", "<MappedBlocksCount> 14", "as many blocks")]
    public void A_map_that_contradicts_itself_is_refused(string old, string changed, string why)
    {
        var checksum = Text.Split("<BmapFileChecksum> ")[1][..64];
        AssertRefused(SampleDisk.Sign(Text.Replace(checksum, new string('0', 64), StringComparison.Ordinal).Replace(old, changed, StringComparison.Ordinal)), why);
    }

    [Test]
    public void Small_holes_are_written_and_large_ones_are_not()
    {
        var runs = ImageReader.Runs(Parse(new SampleDisk(200, (0, 1), (5, 6), (100, 101)).Map));
        Assert.That(runs, Is.EqualTo(new (long, long)[] { (0, 7 * 4096), (100 * 4096, 2 * 4096) }));
    }

    private static BlockMap Parse(string text) => BlockMap.Parse(Encoding.UTF8.GetBytes(text), "node.img.bmap");

    private static void AssertRefused(string text, string why)
    {
        var fault = Assert.Throws<CliException>(() => Parse(text));
        Assert.That(fault.ExitCode, Is.EqualTo(ExitCodes.BadImage));
        Assert.That(fault.Message, Does.Contain(why).And.Contain("node.img.bmap"));
    }
}
