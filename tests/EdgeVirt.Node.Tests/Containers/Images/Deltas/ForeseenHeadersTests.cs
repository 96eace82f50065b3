using System.Text;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.Containers.Images;
using EdgeVirt.Node.Containers.Images.Deltas;

namespace EdgeVirt.Node.Tests.Containers.Images.Deltas;

/// <summary>Layers without tar-split data, whose headers are mostly made of the table of contents.</summary>
internal sealed class ForeseenHeadersTests
{
    private const int Files = 60;
    private const int FileBytes = 20_000;

    private static readonly ContentsEntry s_entry = new() { Type = "reg", Name = "usr/bin/next", Mode = 0x9ED, Size = 123_456, Modtime = "2026-01-02T03:04:05Z", Uid = 7, Gid = 8 };

    [TestCase("0000644\0", "00000001234\0", "017423 \0", "0004755\0", "00000361100\0")]
    [TestCase("000644 \0", "00000001234 ", "017423\0 ", "004755 \0", "00000361100 ")]
    public void Numbers_end_as_the_writer_ends_them(string mode, string size, string sum, string nextMode, string nextSize)
    {
        var block = new byte[512];
        Encoding.ASCII.GetBytes("usr/bin/first").CopyTo(block, 0);
        Encoding.ASCII.GetBytes(mode).CopyTo(block, 100);
        Encoding.ASCII.GetBytes(size).CopyTo(block, 124);
        Encoding.ASCII.GetBytes(size).CopyTo(block, 136);
        Encoding.ASCII.GetBytes(sum).CopyTo(block, 148);
        Encoding.ASCII.GetBytes("daemon").CopyTo(block, 265);
        var header = new byte[512];
        new HeaderTemplate(block).Write(s_entry, (byte)'0', header);
        Assert.Multiple(() =>
        {
            Assert.That(Encoding.ASCII.GetString(header, 0, 13), Is.EqualTo("usr/bin/next\0"));
            Assert.That(Encoding.ASCII.GetString(header, 100, 8), Is.EqualTo(nextMode));
            Assert.That(Encoding.ASCII.GetString(header, 124, 12), Is.EqualTo(nextSize));
            Assert.That(Encoding.ASCII.GetString(header, 265, 6), Is.EqualTo("daemon"));
            Assert.That(new EdgeVirt.Node.Containers.Images.Layers.TarHeader(header).IsSound, Is.True);
        });
    }

    [Test]
    public void A_number_that_the_writer_has_no_room_for_is_not_foreseen() =>
        Assert.That(() => new HeaderTemplate(new byte[512]).Write(s_entry, (byte)'0', new byte[512]), Throws.TypeOf<InvalidDataException>());

    private static IEnumerable<ContentsEntry> Unforeseen() =>
    [
        s_entry with { Name = new string('n', 101) },
        s_entry with { Name = "é" },
        s_entry with { LinkName = new string('n', 101) },
        s_entry with { Uid = 1 << 21 },
        s_entry with { Size = 1L << 33 },
        s_entry with { Modtime = "2026-01-02T03:04:05.5Z" },
        s_entry with { Modtime = null },
        s_entry with { Accesstime = "2026-01-02T03:04:05Z" },
        s_entry with { Xattrs = new Dictionary<string, string> { ["user.a"] = "Yg==" } },
        s_entry with { Type = "char" },
    ];

    [TestCaseSource(nameof(Unforeseen))]
    public void What_needs_more_than_one_block_is_fetched(ContentsEntry entry)
    {
        var gap = new GapEntries();
        gap.Add(s_entry);
        Assert.That(gap.IsPlain, Is.True);
        gap.Add(entry);
        Assert.That(gap.IsPlain, Is.False);
    }

    /// <param name="odd">The file whose header has something that the table of contents does not tell.</param>
    [Category("root")]
    [TestCase(-1, false)]
    [TestCase(20, true, Description = "nobody sees it before the layer's digest is wrong")]
    [TestCase(31, true, Description = "it is fetched beside the changed file and compared")]
    public async Task Headers_that_are_other_than_foreseen_are_fetched_and_the_contents_not_again(int odd, bool isFetched)
    {
        using var store = new StoreFixture();
        var log = new LogCollector();
        await using var registry = new FakeRegistry { HasRanges = true };
        registry.Serve(new ChunkedLayerWriter().Image(Tar(-1, odd)), "delta", "1");
        registry.Serve(new ChunkedLayerWriter().Image(Tar(30, odd)), "delta", "2");
        await using var link = new CuttingProxy(registry.Port, long.MaxValue);
        store.Options = store.Options with { Registries = new Dictionary<string, RegistryAccess> { ["registry.test"] = new() { Url = new Uri($"http://127.0.0.1:{link.Port}") } } };
        using var images = store.Open(log: log);
        Task<StoredImage> PullAsync(string tag, ImageDeltaPolicy delta) =>
            images.EnsureAsync(StoreFixture.Reference($"registry.test/delta:{tag}"), ImagePullPolicy.IfNotPresent, new PullTerms { Delta = delta }, CancellationToken.None);

        await PullAsync("1", ImageDeltaPolicy.Preferred);
        var before = link.BytesReturned;
        var stored = await PullAsync("2", ImageDeltaPolicy.Required);
        Assert.That(link.BytesReturned - before, Is.LessThan(isFetched ? 60_000 : 30_000), "of 1.2 MB");
        Assert.That(log.Lines, isFetched ? Has.Some.Contains("more bytes are to be fetched, its headers") : Has.None.Contains("its headers"));
        Assert.That(await File.ReadAllBytesAsync(Path.Combine(stored.LayerDirectories[0], "app", "file-0030")), Is.EqualTo(DeltaFixture.Noise(1_000_000, FileBytes + 30)));
    }

    /// <summary>With the name of an owner in one header.</summary>
    private static byte[] Tar(int changed, int odd)
    {
        var tar = DeltaFixture.Tar(Files, FileBytes, changed);
        var name = Encoding.ASCII.GetBytes($"app/file-{odd:D4}\0");
        if (tar.AsSpan().IndexOf(name) is var at and >= 0)
        {
            tar[at + 265] = (byte)'u';
            var sum = tar.AsSpan(at, 512).ToArray().Where((_, index) => index is < 148 or >= 156).Sum(value => value) + (8 * ' ');
            Encoding.ASCII.GetBytes(Convert.ToString(sum, 8).PadLeft(6, '0') + "\0 ").CopyTo(tar, at + 148);
        }

        return tar;
    }
}
