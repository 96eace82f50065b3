using EdgeVirt.Contracts.Resources;
using EdgeVirt.Linux;
using EdgeVirt.Linux.Storage;
using EdgeVirt.Node.Containers.Images;
using EdgeVirt.Testing;
using Microsoft.Extensions.Time.Testing;

namespace EdgeVirt.Node.Tests.Containers.Images;

/// <summary>Pulls onto a data partition of their own that has too little room, from Debian's docker-registry.</summary>
[Category("root")]
internal sealed class RoomForPullTests
{
    private const int Mebibyte = 1 << 20;

    private readonly FakeTimeProvider _clock = new(TimeProvider.System.GetUtcNow());
    private TempDirectory _disk = null!;
    private StoreFixture _fixture = null!;
    private DockerRegistry _registry = null!;
    private CuttingProxy _proxy = null!;
    private ImageStore _store = null!;

    private string Partition => _disk.Combine("mount");

    private string Partial => Path.Combine(_fixture.Options.ImagesDirectory, "partial");

    [SetUp]
    public async Task StartAsync()
    {
        _disk = new TempDirectory();
        await Ext4Image.CreateAsync(_disk.Combine("disk.ext4"), 104 * Mebibyte, reserve: false, default);
        await Ext4Image.MountAsync(_disk.Combine("disk.ext4"), _disk.Subdirectory("mount"), default);
        _fixture = new StoreFixture();
        _registry = new DockerRegistry(_fixture.Root);
        await _registry.StartAsync();
        _proxy = new CuttingProxy(_registry.Port, long.MaxValue);
        _store = Open(_proxy);
    }

    [TearDown]
    public async Task StopAsync()
    {
        _store.Dispose();
        await _proxy.DisposeAsync();
        _registry.Dispose();
        _fixture.Dispose();
        Mounts.UnmountBelow(Partition, detach: true);
        Mounts.Unmount(Partition, detach: true);
        _disk.Dispose();
    }

    [Test]
    public async Task Unused_images_make_room_the_oldest_first_and_no_more_of_them_than_are_in_the_way()
    {
        await PullOthersAsync();
        var before = _proxy.BytesReturned;
        var asked = 0;
        _store.MakeRoomBy(_ =>
        {
            asked++;
            return Task.FromResult(Needs("a"));
        });
        var size = (int)new DriveInfo(Partition).AvailableFreeSpace - (2 * Mebibyte);
        await PushAsync("big", Noise(9, size));
        Assert.That((await PullAsync("big")).LayerDirectories, Has.Count.EqualTo(1));
        Assert.That(await LeftAsync(), Is.EqualTo("ad"), "a is the oldest but a workload names it; b went before the download, c within it");
        Assert.That(asked, Is.EqualTo(2), "before the first byte, and when it was unpacked");
        Assert.That(_proxy.BytesReturned - before, Is.LessThan(size * 1.05), "nothing is fetched twice for it");
    }

    [Test]
    public async Task What_cannot_fit_is_not_begun_removes_nothing_and_says_how_much_is_missing_and_what_holds_the_disk()
    {
        await PullOthersAsync();
        var before = _proxy.BytesReturned;
        _store.MakeRoomBy(_ => Task.FromResult(Needs("a", "b", "c")));
        await PushAsync("big", Noise(9, 60 * Mebibyte));
        var refused = await Assert.ThrowsAsync<ImagePullException>(() => PullAsync("big"));
        TestContext.Out.WriteLine(refused!.Message);
        Assert.That(refused.Message, Does.Match(@"[1-9][0-9.]* MiB are missing").And.Contain("the pull wants 60.0 MiB").And.Contain("registry.test/a:1 16.0 MiB, needed").And.Contain("larger disk"));
        Assert.That(await LeftAsync(), Is.EqualTo("abcd"), "without d there would still be too little");
        Assert.That(_proxy.BytesReturned - before, Is.LessThan(50_000), "manifest and config alone");
    }

    [Test]
    public async Task Before_it_is_known_who_needs_what_nothing_is_removed()
    {
        await PullOthersAsync();
        await PushAsync("big", Noise(9, 34 * Mebibyte));
        Assert.That(() => PullAsync("big"), Throws.TypeOf<ImagePullException>().With.Message.Contains("are missing"));
        Assert.That(await LeftAsync(), Is.EqualTo("abcd"));
    }

    [Test]
    public async Task What_was_asked_for_in_the_last_minutes_does_not_make_room()
    {
        await PullOthersAsync();
        foreach (var name in (string[])["b", "c", "d"])
        {
            await PullAsync(name);
        }

        _store.MakeRoomBy(_ => Task.FromResult(Needs("a")));
        await PushAsync("big", Noise(9, 34 * Mebibyte));
        Assert.That(() => PullAsync("big"), Throws.TypeOf<ImagePullException>().With.Message.Contains("are missing"));
        Assert.That(await LeftAsync(), Is.EqualTo("abcd"));
    }

    [Test]
    public async Task A_disk_that_fills_while_a_layer_comes_keeps_what_came_and_the_pull_goes_on_from_there()
    {
        const int Size = 30 * Mebibyte;
        await PushAsync("big", Noise(9, Size));
        await using var cutting = new CuttingProxy(_registry.Port, 8 * Mebibyte) { OnCut = number => { if (number == 1) { Fill(2 * Mebibyte); } } };
        using var store = Open(cutting);
        store.MakeRoomBy(_ => Task.FromResult(Needs("big")));
        var full = await Assert.ThrowsAsync<ImagePullException>(() => PullAsync("big", store));
        TestContext.Out.WriteLine(full!.Message);
        Assert.That(full.Message, Does.StartWith("The disk is full").And.Contain("are missing").And.Contain("Remove workloads or volumes"));
        var reached = Directory.GetFiles(Partial).Sum(file => new FileInfo(file).Length);
        Assert.That(reached, Is.GreaterThan(7 * Mebibyte), "the link was cut after eight, what was under way may be lost");
        await store.CollectGarbageAsync(Needs("big"), default);

        File.Delete(Path.Combine(Partition, "filler"));
        await PullAsync("big");
        Assert.That(_proxy.BytesReturned, Is.LessThan((Size - reached) * 1.05), $"{reached} were there");
    }

    [Test]
    public async Task A_disk_that_fills_while_a_layer_is_unpacked_costs_no_byte_of_the_link_twice()
    {
        // The second layer is small as it comes and large as it lies.
        var block = Noise(7, Mebibyte);
        var tar = new TarBuilder();
        Enumerable.Range(0, 40).ToList().ForEach(number => tar.Add('0', $"copy-{number}", block));
        await _registry.PushAsync(new TestImage(Packing.Zstd, Layer(Noise(8, 8 * Mebibyte)), tar.ToArray()), "app", "1");
        _fixture.Options = _fixture.Options with { Limits = new UnpackLimits { MinFreeBytes = 0 } };
        using var store = Open(_proxy);
        Fill(36 * Mebibyte);
        Assert.That(() => PullAsync("app", store), Throws.TypeOf<ImagePullException>().With.Message.StartsWith("The disk is full").And.Property("RoomWanted").InRange(30 * Mebibyte, 60 * Mebibyte));
        var before = _proxy.BytesReturned;
        await store.CollectGarbageAsync(Needs("app"), default);
        Assert.That(Directory.GetDirectories(_fixture.Layers), Has.Length.EqualTo(1), "the first layer is whole, and of the second no half is left");

        File.Delete(Path.Combine(Partition, "filler"));
        Assert.That((await PullAsync("app", store)).LayerDirectories, Has.Count.EqualTo(2));
        Assert.That(_proxy.BytesReturned - before, Is.LessThan(50_000), "manifest and config alone");
    }

    [Test]
    public async Task Of_a_pull_that_nobody_wants_any_more_the_layers_go()
    {
        var block = Noise(7, Mebibyte);
        var tar = new TarBuilder();
        Enumerable.Range(0, 40).ToList().ForEach(number => tar.Add('0', $"copy-{number}", block));
        await _registry.PushAsync(new TestImage(Packing.Zstd, Layer(Noise(8, 8 * Mebibyte)), tar.ToArray()), "app", "1");
        Fill(36 * Mebibyte);
        Assert.That(() => PullAsync("app"), Throws.TypeOf<ImagePullException>());
        await _store.CollectGarbageAsync(Needs(), default);
        Assert.That(Directory.GetDirectories(_fixture.Layers), Is.Empty);
        Assert.That(Directory.GetFiles(_fixture.Blobs), Is.Empty);
    }

    private ImageStore Open(CuttingProxy proxy)
    {
        _fixture.Options = _fixture.Options with
        {
            ImagesDirectory = Path.Combine(Partition, "images"),
            Limits = _fixture.Options.Limits.MinFreeBytes == 0 ? _fixture.Options.Limits : new UnpackLimits { MinFreeBytes = 4 * Mebibyte },
            Garbage = new ImageGarbagePolicy { HighWatermarkPercent = 100, LowWatermarkPercent = 100, MinFreeBytes = 0 },
            Registries = new Dictionary<string, RegistryAccess> { ["registry.test"] = new() { Url = new Uri($"http://127.0.0.1:{proxy.Port}") } },
        };
        return _fixture.Open(_clock);
    }

    /// <summary>Four images of 16 MiB, an hour between them.</summary>
    private async Task PullOthersAsync()
    {
        foreach (var name in (string[])["a", "b", "c", "d"])
        {
            await PushAsync(name, Noise(name[0], 16 * Mebibyte));
            await PullAsync(name);
            _clock.Advance(TimeSpan.FromHours(1));
        }
    }

    private Task PushAsync(string name, byte[] content) => _registry.PushAsync(new TestImage(Packing.None, Layer(content)), name, "1");

    private Task<StoredImage> PullAsync(string name, ImageStore? store = null) => (store ?? _store).EnsureAsync(Reference(name), ImagePullPolicy.IfNotPresent, default);

    private async Task<string> LeftAsync()
    {
        var left = "";
        foreach (var name in (string[])["a", "b", "c", "d"])
        {
            left += await _store.FindAsync(Reference(name), default) is null ? "" : name;
        }

        return left;
    }

    /// <summary>Takes all of the disk but so many bytes.</summary>
    private void Fill(long leave)
    {
        using var filler = File.Create(Path.Combine(Partition, "filler"));
        var block = new byte[Mebibyte];
        while (new DriveInfo(Partition).AvailableFreeSpace - block.Length > leave)
        {
            filler.Write(block);
            filler.Flush(flushToDisk: true);
        }
    }

    private static ImageReference Reference(string name) => StoreFixture.Reference($"registry.test/{name}:1");

    private static ImagesInUse Needs(params string[] names) => new(new HashSet<string>(), names.Select(name => Reference(name).ToString()).ToHashSet());

    private static byte[] Layer(byte[] content) => new TarBuilder().Add('0', "content", content).ToArray();

    private static byte[] Noise(int seed, int size)
    {
        var noise = new byte[size];
        new Random(seed).NextBytes(noise);
        return noise;
    }
}
