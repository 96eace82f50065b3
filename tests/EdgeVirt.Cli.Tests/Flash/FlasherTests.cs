using System.Buffers.Binary;
using EdgeVirt.Cli.Flash;
using EdgeVirt.Testing;

namespace EdgeVirt.Cli.Tests.Flash;

/// <summary>The way from image to card, with cards in memory.</summary>
public sealed class FlasherTests
{
    private const int Card = 32 << 20;
    private const int Head = 1 << 20;

    [TestCase(true, true)]
    [TestCase(true, false)]
    [TestCase(false, true)]
    [TestCase(false, false)]
    public async Task Several_cards_get_the_image_from_one_reading(bool compressed, bool map)
    {
        using var directory = new TempDirectory();
        var disk = SampleDisk.Usual();
        var image = ImageSource.Open(disk.Save(directory.Path, compressed, map), null, null, false);
        MemoryTarget[] cards = [new("a", Card), new("b", Card), new("c", 16 << 20)];
        var runs = await FlashAsync(image, cards);
        Assert.That(runs.Select(run => (run.Outcome, run.Fault?.Message)), Is.All.EqualTo((FlashOutcome.Verified, (string?)null)));
        foreach (var card in cards)
        {
            disk.AssertOn(card.Card);
            Assert.That((card.IsFinished, card.IsDisposed), Is.EqualTo((true, true)));
        }
    }

    [Test]
    public async Task Holes_are_left_alone_but_old_partition_tables_go()
    {
        using var directory = new TempDirectory();
        var card = new MemoryTarget("a", Card);
        await FlashAsync(Image(directory, SampleDisk.Usual()), card);
        Assert.That(card.Card.AsSpan(2400 * 4096, 4096).IndexOfAnyExcept(MemoryTarget.Old), Is.Negative, "a hole of the image");
        Assert.That(card.Card.AsSpan(Card - Head).IndexOfAnyExcept((byte)0), Is.Negative, "where the second GPT was");
        Assert.That(card.Card.AsSpan(16 << 20, Head).IndexOfAnyExcept((byte)0), Is.Negative, "right behind the image");
    }

    [Test]
    public async Task The_first_block_is_written_last_of_all()
    {
        using var directory = new TempDirectory();
        var order = new List<(long Offset, bool HeadIsEmpty)>();
        MemoryTarget? card = null;
        card = new MemoryTarget("a", Card) { Writing = offset => order.Add((offset, card!.IsBlank)) };
        await FlashAsync(Image(directory, SampleDisk.Usual()), card);
        Assert.That(order[0].Offset, Is.Zero);
        Assert.That(order[^2..].Select(write => write.Offset), Is.EqualTo(new long[] { 4096, 0 }));
        Assert.That(order[1..^1].Select(write => write.HeadIsEmpty), Is.All.True);
    }

    [Test]
    public async Task A_card_that_refuses_writes_stops_nobody_else()
    {
        using var directory = new TempDirectory();
        var disk = SampleDisk.Usual();
        MemoryTarget[] cards = [new("bad", Card) { BrokenFrom = 6 << 20, Length = Card }, new("good", Card)];
        var runs = await FlashAsync(Image(directory, disk), cards);
        Assert.That(runs.Select(run => run.Outcome), Is.EqualTo(new[] { FlashOutcome.WriteFailed, FlashOutcome.Verified }));
        disk.AssertOn(cards[1].Card);
        Assert.That(cards[0].IsBlank, Is.True);
    }

    [TestCase(1024 * 4096L + 77, "from 4194304 to 9424895")]
    [TestCase(4095 * 4096L, "from 16752640 to 16777215")]
    [TestCase(5L, "at 5")]
    public async Task A_bit_that_flips_is_found_and_the_card_does_not_boot(long at, string where)
    {
        using var directory = new TempDirectory();
        var card = new MemoryTarget("a", Card) { Flipped = at };
        var runs = await FlashAsync(Image(directory, SampleDisk.Usual()), card);
        Assert.That(runs[0].Outcome, Is.EqualTo(FlashOutcome.VerifyFailed), runs[0].Fault?.Message);
        Assert.That(runs[0].Fault!.Message, Does.StartWith($"a: what was read back {where} is not"));
        Assert.That(card.IsBlank, Is.True);
    }

    [TestCase(8, 32, true)]
    [TestCase(8, 32, false)]
    [TestCase(24, 64, true)]
    [TestCase(24, 64, false)]
    [TestCase(23, 128, true)]
    [TestCase(8, 16, true)]
    public async Task A_card_that_lies_about_its_size_is_found(int hasMiB, int saysMiB, bool wraps)
    {
        using var directory = new TempDirectory();
        var card = new MemoryTarget("fake", hasMiB << 20) { Length = (long)saysMiB << 20, WrapsAround = wraps };
        var runs = await FlashAsync(Image(directory, SampleDisk.Usual()), card);
        Assert.That(runs[0].Outcome, Is.EqualTo(FlashOutcome.LiesAboutSize), runs[0].Fault?.Message);
        Assert.That(runs[0].Fault!.Message, Does.Contain($"fake says that it has {(long)saysMiB << 20} bytes"));
        Assert.That(runs[0].Fault!.Hint, Does.Contain("Throw it away"));
    }

    [Test]
    public async Task A_damaged_image_reaches_no_card()
    {
        using var directory = new TempDirectory();
        var disk = SampleDisk.Usual();
        var path = disk.Save(directory.Path, compressed: false);
        using (var file = File.OpenHandle(path, FileMode.Open, FileAccess.Write))
        {
            RandomAccess.Write(file, "x"u8, (3000 * 4096) + 9);
        }

        MemoryTarget[] cards = [new("a", Card), new("b", Card)];
        var runs = await FlashAsync(ImageSource.Open(path, null, null, false), cards);
        Assert.That(runs.Select(run => run.Outcome), Is.All.EqualTo(FlashOutcome.ImageDamaged));
        Assert.That(runs[0].Fault!.Message, Does.Contain($"{3000 * 4096} to {(3001 * 4096) - 1}").And.Contain("SHA-256"));
        Assert.That(cards.All(card => card.IsBlank), Is.True);
    }

    [Test]
    public async Task A_compressed_image_that_is_cut_off_reaches_no_card()
    {
        using var directory = new TempDirectory();
        var path = SampleDisk.Usual().Save(directory.Path);
        using (var file = File.OpenHandle(path, FileMode.Open, FileAccess.Write))
        {
            RandomAccess.SetLength(file, RandomAccess.GetLength(file) - 5000);
        }

        var card = new MemoryTarget("a", Card);
        var runs = await FlashAsync(ImageSource.Open(path, null, null, false), card);
        Assert.That(runs[0].Outcome, Is.EqualTo(FlashOutcome.ImageDamaged));
        Assert.That(runs[0].Fault!.Message, Does.Contain("cut off"));
        Assert.That(card.IsBlank, Is.True);
    }

    [Test]
    public async Task An_image_of_another_length_than_its_map_says_is_damaged([Values(true, false)] bool compressed, [Values(-1, 1)] int blocks)
    {
        using var directory = new TempDirectory();
        var path = new SampleDisk(4096 + blocks, (0, 3), (1024, 1100)).Save(directory.Path, compressed);
        File.WriteAllText(Path.Combine(directory.Path, "node.img.bmap"), new SampleDisk(4096, (0, 3), (1024, 1100)).Map);
        var card = new MemoryTarget("a", Card);
        var runs = await FlashAsync(ImageSource.Open(path, null, null, false), card);
        Assert.That(runs[0].Outcome, Is.EqualTo(FlashOutcome.ImageDamaged));
        Assert.That(card.IsBlank, Is.True);
    }

    [Test]
    public async Task Interrupted_anywhere_a_card_does_not_boot([Values(0, 2, 12, 20, 40, 50)] int writes)
    {
        using var directory = new TempDirectory();
        using var interrupt = new CancellationTokenSource();
        var count = 0;
        var card = new MemoryTarget("a", Card) { Writing = _ => { if (count++ == writes) { interrupt.Cancel(); } } };
        var runs = await FlashAsync(Image(directory, SampleDisk.Usual()), null, interrupt.Token, card);
        Assert.That(count, Is.GreaterThan(writes), "it came so far");
        Assert.That(runs[0].Outcome, Is.EqualTo(FlashOutcome.Interrupted));
        Assert.That(FlashFault.ExitCodeOf(runs[0].Outcome), Is.EqualTo(130));
        Assert.That(card.IsBlank && !card.IsFinished && card.IsDisposed, Is.True);
    }

    [Test]
    public async Task Each_card_gets_its_own_settings_before_it_can_boot()
    {
        using var directory = new TempDirectory();
        var disk = SampleDisk.Usual();
        MemoryTarget[] cards = [new("a", Card), new("b", Card)];
        var blankMeanwhile = new bool[2];
        var writer = new Settings((card, index) =>
        {
            blankMeanwhile[index] = cards[index].IsBlank;
            var table = new byte[16];
            card.Position = 8;
            card.ReadExactly(table);
            Assert.That(table, Is.EqualTo(disk.Bytes[8..24]), "the partition table can be read");
            // Across blocks, at an odd place, and in the head.
            var text = new byte[5000];
            Array.Fill(text, (byte)(index + 1));
            card.Position = (1200 * 4096) + 11;
            card.Write(text);
            card.Position = 100;
            card.Write(text.AsSpan(0, 4));
            card.Flush();
            var read = new byte[5002];
            card.Position = (1200 * 4096) + 10;
            card.ReadExactly(read);
            Assert.That(read[1..^1], Is.EqualTo(text));
            Assert.That((read[0], read[^1]), Is.EqualTo((disk.Bytes[(1200 * 4096) + 10], disk.Bytes[(1200 * 4096) + 5011])));
        });
        var runs = await FlashAsync(Image(directory, disk), writer, CancellationToken.None, cards);
        Assert.That(runs.Select(run => run.Outcome), Is.All.EqualTo(FlashOutcome.Verified));
        Assert.That(blankMeanwhile, Is.All.True);
        for (var i = 0; i < cards.Length; i++)
        {
            Assert.That(cards[i].Card[(1200 * 4096) + 11], Is.EqualTo(i + 1));
            Assert.That(BinaryPrimitives.ReadInt32LittleEndian(cards[i].Card.AsSpan(100)), Is.EqualTo(0x01010101 * (i + 1)));
            Assert.That(cards[i].Card[104], Is.EqualTo(disk.Bytes[104]));
        }
    }

    [Test]
    public async Task A_card_whose_settings_fail_does_not_boot()
    {
        using var directory = new TempDirectory();
        var card = new MemoryTarget("a", Card);
        var runs = await FlashAsync(Image(directory, SampleDisk.Usual()), new Settings((_, _) => throw new InvalidDataException("there is no first partition.")), CancellationToken.None, card);
        Assert.That(runs[0].Outcome, Is.EqualTo(FlashOutcome.SettingsFailed));
        Assert.That(runs[0].Fault!.Message, Does.Contain("there is no first partition"));
        Assert.That(card.IsBlank, Is.True);
    }

    private static ImageSource Image(TempDirectory directory, SampleDisk disk) => ImageSource.Open(disk.Save(directory.Path), null, null, false);

    private static Task<List<TargetRun>> FlashAsync(ImageSource image, params MemoryTarget[] cards) => FlashAsync(image, null, CancellationToken.None, cards);

    private static async Task<List<TargetRun>> FlashAsync(ImageSource image, ICardWriter? writer, CancellationToken ct, params MemoryTarget[] cards)
    {
        var runs = cards.Select((card, index) => new TargetRun(card, index, TimeProvider.System)).ToList();
        await new Flasher(image, runs, writer).RunAsync(ct).WaitAsync(TimeSpan.FromSeconds(30));
        return runs;
    }

    private sealed class Settings(Action<Stream, int> write) : ICardWriter
    {
        public void Write(Stream card, int index) => write(card, index);
    }
}
