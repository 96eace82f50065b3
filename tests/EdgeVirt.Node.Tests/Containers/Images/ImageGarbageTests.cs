using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.Containers.Images;
using Microsoft.Extensions.Time.Testing;

namespace EdgeVirt.Node.Tests.Containers.Images;

/// <summary>Room for images: on a disk of the test's own, which is as full as the store is large.</summary>
[Category("root")]
internal sealed class ImageGarbageTests
{
    private const long Piece = 100_000;

    private StoreFixture _fixture = null!;
    private FakeTimeProvider _clock = null!;
    private ImageStore _store = null!;

    [SetUp]
    public async Task PrepareAsync()
    {
        _fixture = new StoreFixture();
        _clock = new FakeTimeProvider(TimeProvider.System.GetUtcNow());
        _fixture.Options = _fixture.Options with
        {
            // Four images of one piece each fill 40 % of it.
            MeasureDisk = _ => new DiskSpace(10 * Piece, (10 * Piece) - Used()),
            Garbage = new ImageGarbagePolicy { HighWatermarkPercent = 35, LowWatermarkPercent = 25, MinFreeBytes = 0, MaxUnusedAge = TimeSpan.FromDays(30) },
            Limits = new UnpackLimits { MinFreeBytes = 0 },
        };
        _store = _fixture.Open(_clock);
        foreach (var name in (string[])["a", "b", "c", "d"])
        {
            var noise = new byte[Piece];
            new Random(name[0]).NextBytes(noise);
            new TestImage(Packing.None, new TarBuilder().Add('0', "noise", noise).ToArray()).WriteLayout(_fixture.Layout, name);
            await UseAsync(name);
            _clock.Advance(TimeSpan.FromHours(1));
        }
    }

    [TearDown]
    public void CleanUp()
    {
        _store.Dispose();
        _fixture.Dispose();
    }

    [Test]
    public async Task From_the_high_watermark_the_oldest_unused_go_until_the_low_one()
    {
        await CollectAsync();
        Assert.That(await LeftAsync(), Is.EqualTo("cd"));
    }

    [Test]
    public async Task Between_the_watermarks_nothing_goes()
    {
        _fixture.Options = _fixture.Options with { Garbage = _fixture.Options.Garbage with { HighWatermarkPercent = 45 } };
        _store = _fixture.Open(_clock);
        await CollectAsync();
        Assert.That(await LeftAsync(), Is.EqualTo("abcd"));
    }

    [Test]
    public async Task Too_few_free_bytes_are_too_full_as_well()
    {
        _fixture.Options = _fixture.Options with { Garbage = new ImageGarbagePolicy { HighWatermarkPercent = 99, LowWatermarkPercent = 98, MinFreeBytes = 65 * Piece / 10 } };
        _store = _fixture.Open(_clock);
        await CollectAsync();
        Assert.That(await LeftAsync(), Is.EqualTo("bcd"));
    }

    [Test]
    public async Task What_was_asked_for_lately_is_not_the_oldest()
    {
        await UseAsync("a");
        _clock.Advance(TimeSpan.FromHours(1));
        await CollectAsync();
        Assert.That(await LeftAsync(), Is.EqualTo("ad"));
    }

    [Test]
    public async Task What_runs_or_is_named_by_a_workload_stays_however_full_the_disk_is()
    {
        var running = (await _store.FindAsync(Reference("a"), CancellationToken.None))!.ManifestDigest;
        await _store.CollectGarbageAsync(new ImagesInUse(new HashSet<string> { running }, new HashSet<string> { Reference("b").ToString(), Reference("c").ToString() }), CancellationToken.None);
        Assert.That(await LeftAsync(), Is.EqualTo("abc"), "the disk stays too full");
    }

    [Test]
    public async Task What_nobody_asked_for_in_a_long_time_goes_from_an_empty_disk_too()
    {
        _fixture.Options = _fixture.Options with { Garbage = new ImageGarbagePolicy { MinFreeBytes = 0, MaxUnusedAge = TimeSpan.FromMinutes(150) } };
        _store = _fixture.Open(_clock);
        await CollectAsync();
        Assert.That(await LeftAsync(), Is.EqualTo("cd"));
    }

    [Test]
    public async Task What_was_asked_for_in_the_last_minutes_stays()
    {
        _fixture.Options = _fixture.Options with { Garbage = _fixture.Options.Garbage with { MinAge = TimeSpan.FromHours(5) } };
        _store = _fixture.Open(_clock);
        await CollectAsync();
        Assert.That(await LeftAsync(), Is.EqualTo("abcd"));
    }

    [Test]
    public async Task An_image_in_use_whose_manifest_is_damaged_keeps_everything()
    {
        var digest = (await _store.FindAsync(Reference("d"), CancellationToken.None))!.ManifestDigest;
        File.WriteAllText(Path.Combine(_fixture.Blobs, Digest.Hex(digest)), "damaged");
        await _store.CollectGarbageAsync(new ImagesInUse(new HashSet<string> { digest }, new HashSet<string>()), CancellationToken.None);
        Assert.That(await LeftAsync(), Is.EqualTo("abc"));
    }

    [Test]
    public async Task A_real_disk_gets_its_bytes_back()
    {
        var percent = DiskSpace.Of(_fixture.Root).UsedPercent;
        _fixture.Options = _fixture.Options with
        {
            MeasureDisk = DiskSpace.Of,
            Garbage = new ImageGarbagePolicy { HighWatermarkPercent = 0, LowWatermarkPercent = 0, MinFreeBytes = 0 },
        };
        _store = _fixture.Open(_clock);
        Assert.That(percent, Is.InRange(0.0, 100.0));
        var before = Used();
        await CollectAsync();
        Assert.That(Used(), Is.LessThan(before - (4 * Piece) + 1));
        Assert.That(_fixture.Stored(), Is.Empty);
    }

    private long Used() => Directory.EnumerateFiles(_fixture.Options.ImagesDirectory, "*", SearchOption.AllDirectories).Sum(file => new FileInfo(file).Length) is var bytes
        ? bytes / Piece * Piece
        : 0;

    private ImageReference Reference(string name) => StoreFixture.Reference($"oci:{_fixture.Layout}:{name}");

    private Task<StoredImage> UseAsync(string name) => _store.EnsureAsync(Reference(name), ImagePullPolicy.IfNotPresent, CancellationToken.None);

    private Task CollectAsync() => _store.CollectGarbageAsync(new ImagesInUse(new HashSet<string>(), new HashSet<string>()), CancellationToken.None);

    private async Task<string> LeftAsync()
    {
        var left = "";
        foreach (var name in (string[])["a", "b", "c", "d"])
        {
            left += await _store.FindAsync(Reference(name), CancellationToken.None) is null ? "" : name;
        }

        return left;
    }
}
