using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.Containers.Images;

namespace EdgeVirt.Node.Tests.Containers.Images;

/// <summary>Pulls over a link that is cut again and again, against Debian's docker-registry.</summary>
[Category("root")]
internal sealed class BadLinkTests
{
    private StoreFixture _fixture = null!;
    private DockerRegistry _registry = null!;
    private TestImage _image = null!;

    [SetUp]
    public async Task StartAsync()
    {
        _fixture = new StoreFixture();
        _registry = new DockerRegistry(_fixture.Root);
        await _registry.StartAsync();
        _image = new TestImage(Packing.None, [.. Enumerable.Range(0, 5).Select(number => Noise(number, 1_200_000))]);
        await _registry.PushAsync(_image, "big", "1");
    }

    [TearDown]
    public void Stop()
    {
        _registry.Dispose();
        _fixture.Dispose();
    }

    [Test]
    public async Task Fifty_cuts_cost_less_than_a_twentieth_more_bytes_than_none()
    {
        var clean = await CleanBytesAsync();
        await using var proxy = new CuttingProxy(_registry.Port, cutAfter: 110_000);
        using var store = Open(proxy.Port);
        Assert.That((await EnsureAsync(store)).LayerDirectories, Has.Count.EqualTo(5));
        TestContext.Out.WriteLine($"{proxy.Cuts} cuts, {proxy.BytesReturned} bytes, {clean} without a cut: {(double)proxy.BytesReturned / clean:F4}");
        Assert.That(proxy.Cuts, Is.GreaterThanOrEqualTo(50));
        Assert.That(proxy.BytesReturned, Is.LessThanOrEqualTo(clean * 1.05));
    }

    [Test]
    public async Task An_agent_that_ended_midway_goes_on_from_the_bytes_it_reached()
    {
        var clean = await CleanBytesAsync();
        using var killed = new CancellationTokenSource();
        await using var proxy = new CuttingProxy(_registry.Port, cutAfter: 300_000) { OnCut = number => { if (number == 10) { killed.Cancel(); } } };
        var first = Open(proxy.Port);
        Assert.That(() => first.EnsureAsync(StoreFixture.Reference("registry.test/big:1"), ImagePullPolicy.IfNotPresent, killed.Token), Throws.InstanceOf<OperationCanceledException>());
        var reached = new DirectoryInfo(Path.Combine(_fixture.Options.ImagesDirectory, "partial")).EnumerateFiles().Sum(file => file.Length);
        Assert.That(reached, Is.GreaterThan(500_000));

        await using var link = new CuttingProxy(_registry.Port, long.MaxValue);
        using var second = Open(link.Port);
        Assert.That((await EnsureAsync(second)).LayerDirectories, Has.Count.EqualTo(5));
        Assert.That(link.BytesReturned, Is.LessThanOrEqualTo((clean - reached) * 1.05), $"{reached} were there, {clean} in one go");
    }

    [TestCase(1)]
    [TestCase(3)]
    public async Task Layers_are_fetched_side_by_side_and_no_more_of_them_than_told(int most)
    {
        _fixture.Options = _fixture.Options with { MaxConcurrentDownloads = most };
        await using var proxy = new CuttingProxy(_registry.Port, long.MaxValue);
        using var store = Open(proxy.Port);
        await EnsureAsync(store);
        Assert.That(proxy.MostOpen, Is.InRange(most == 1 ? 1 : 2, most + 1));
        Assert.That(Directory.GetFiles(Path.Combine(_fixture.Options.ImagesDirectory, "partial")), Is.Empty);
        Assert.That(Directory.GetFiles(_fixture.Blobs), Has.Length.EqualTo(2), "manifest and config");
    }

    [Test]
    public async Task Content_that_an_image_has_twice_is_fetched_once()
    {
        var layer = Noise(9, 400_000);
        await _registry.PushAsync(new TestImage(Packing.None, layer, Noise(10, 1000), layer), "twice", "1");
        await using var proxy = new CuttingProxy(_registry.Port, long.MaxValue);
        using var store = Open(proxy.Port);
        var stored = await store.EnsureAsync(StoreFixture.Reference("registry.test/twice:1"), ImagePullPolicy.IfNotPresent, CancellationToken.None);
        Assert.That(stored.LayerDirectories, Has.Count.EqualTo(3));
        Assert.That(proxy.BytesReturned, Is.LessThan(500_000));
    }

    [Test]
    public async Task An_image_that_does_not_fit_is_not_begun()
    {
        _fixture.Options = _fixture.Options with { MeasureDisk = _ => new DiskSpace(100 << 20, 5_000_000 + _fixture.Options.Limits.MinFreeBytes) };
        await using var proxy = new CuttingProxy(_registry.Port, long.MaxValue);
        using var store = Open(proxy.Port);
        Assert.That(() => EnsureAsync(store), Throws.TypeOf<ImagePullException>().With.Message.Contains("MiB free"));
        Assert.That(proxy.BytesReturned, Is.LessThan(50_000), "manifest and config alone");
    }

    private static byte[] Noise(int seed, int size)
    {
        var noise = new byte[size];
        new Random(seed).NextBytes(noise);
        return new TarBuilder().Add('0', $"noise-{seed}", noise).ToArray();
    }

    /// <summary>What one pull into another store costs without a cut.</summary>
    private async Task<long> CleanBytesAsync()
    {
        using var other = new StoreFixture();
        await using var proxy = new CuttingProxy(_registry.Port, long.MaxValue);
        other.Options = other.Options with { Registries = At(proxy.Port) };
        await EnsureAsync(other.Open());
        return proxy.BytesReturned;
    }

    private ImageStore Open(int port)
    {
        _fixture.Options = _fixture.Options with { Registries = At(port) };
        return _fixture.Open();
    }

    private static Dictionary<string, RegistryAccess> At(int port) => new() { ["registry.test"] = new() { Url = new Uri($"http://127.0.0.1:{port}") } };

    private static Task<StoredImage> EnsureAsync(ImageStore store) =>
        store.EnsureAsync(StoreFixture.Reference("registry.test/big:1"), ImagePullPolicy.IfNotPresent, CancellationToken.None);
}
