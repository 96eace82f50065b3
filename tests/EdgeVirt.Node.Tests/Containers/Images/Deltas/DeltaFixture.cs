using System.Text;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.Containers.Images;

namespace EdgeVirt.Node.Tests.Containers.Images.Deltas;

/// <summary>A store, a registry, and a link between them whose bytes are counted.</summary>
internal sealed class DeltaFixture : IAsyncDisposable
{
    private readonly List<CuttingProxy> _links = [];

    public StoreFixture Store { get; } = new();

    public DockerRegistry Registry { get; private set; } = null!;

    public LogCollector Log { get; } = new();

    public static async Task<DeltaFixture> StartAsync()
    {
        var fixture = new DeltaFixture();
        fixture.Registry = new DockerRegistry(fixture.Store.Root);
        await fixture.Registry.StartAsync();
        return fixture;
    }

    /// <summary>A tree of many files that do not compress, each of other content; one of them may have another version.</summary>
    public static byte[] Tar(int files, int bytes, int changed = -1, Action<TarBuilder>? more = null)
    {
        var tar = new TarBuilder().Directory("app/");
        for (var number = 0; number < files; number++)
        {
            tar.Add('0', $"app/file-{number:D4}", Noise(number == changed ? 1_000_000 : number, bytes + number));
        }

        more?.Invoke(tar);
        return tar.Symlink("app/link", "file-0001").HardLink("app/twin", "app/file-0002").File("app/empty", "").ToArray();
    }

    public static byte[] Noise(int seed, int bytes)
    {
        var noise = new byte[bytes];
        new Random(seed).NextBytes(noise);
        return noise;
    }

    /// <summary>Another link to the registry.</summary>
    public CuttingProxy Link(long cutAfter = long.MaxValue)
    {
        var link = new CuttingProxy(Registry.Port, cutAfter);
        _links.Add(link);
        return link;
    }

    public Task<StoredImage> PullAsync(int port, string tag, ImageDeltaPolicy delta = ImageDeltaPolicy.Preferred, long? maxBytes = null, CancellationToken ct = default) =>
        PullAsync(Store, port, tag, new PullTerms { Delta = delta, MaxBytes = maxBytes }, ct);

    public async Task<StoredImage> PullAsync(StoreFixture into, int port, string tag, PullTerms terms, CancellationToken ct = default)
    {
        into.Options = into.Options with { Registries = new Dictionary<string, RegistryAccess> { ["registry.test"] = new() { Url = new Uri($"http://127.0.0.1:{port}") } } };
        using var store = into.Open(log: Log);
        return await store.EnsureAsync(StoreFixture.Reference($"registry.test/delta:{tag}"), ImagePullPolicy.IfNotPresent, terms, ct);
    }

    /// <summary>The top layer is the same tree that a pull of the whole layer makes.</summary>
    public async Task AssertSameAsFullPullAsync(StoredImage stored, string tag)
    {
        using var other = new StoreFixture();
        var full = await PullAsync(other, Registry.Port, tag, new PullTerms { Delta = ImageDeltaPolicy.Never });
        Assert.That(stored.ManifestDigest, Is.EqualTo(full.ManifestDigest));
        for (var i = 0; i < full.LayerDirectories.Count; i++)
        {
            Assert.That(await StoreFixture.DescribeAsync(stored.LayerDirectories[i]), Is.EqualTo(await StoreFixture.DescribeAsync(full.LayerDirectories[i])));
        }

        Assert.That(await File.ReadAllTextAsync(Path.Combine(Store.Sentinel, "victim"), Encoding.UTF8), Is.EqualTo("untouched"));
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var link in _links)
        {
            await link.DisposeAsync();
        }

        Registry.Dispose();
        Store.Dispose();
    }
}
