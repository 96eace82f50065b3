using System.Diagnostics;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.Containers.Images;
using Microsoft.Extensions.Time.Testing;

namespace EdgeVirt.Node.Tests.Containers.Images;

/// <summary>What a pull may cost, against Debian's docker-registry.</summary>
[Category("root")]
internal sealed class PullBudgetTests
{
    private const int Layer = 400_000;

    private StoreFixture _fixture = null!;
    private DockerRegistry _registry = null!;

    [SetUp]
    public async Task StartAsync()
    {
        _fixture = new StoreFixture();
        _registry = new DockerRegistry(_fixture.Root);
        await _registry.StartAsync();
        await _registry.PushAsync(new TestImage(Packing.None, Noise(1), Noise(2)), "big", "1");
        await _registry.PushAsync(new TestImage(Packing.None, Noise(1), Noise(3)), "big", "2");
    }

    [TearDown]
    public void Stop()
    {
        _registry.Dispose();
        _fixture.Dispose();
    }

    [Test]
    public async Task A_pull_beyond_the_budget_is_refused_before_the_first_byte_of_a_layer()
    {
        await using var proxy = new CuttingProxy(_registry.Port, long.MaxValue);
        using var store = Open(proxy.Port);
        Assert.That(() => EnsureAsync(store, "1", 700_000), Throws.TypeOf<ImagePullException>().With.Property("IsOverBudget").True
            .And.Message.Contains("0.77 MiB").And.Message.Contains("imagePull.maxBytes allows 0.67 MiB (700000 bytes)"));
        Assert.That(proxy.BytesReturned, Is.LessThan(10_000), "manifest and config alone");
    }

    [Test]
    public async Task What_is_here_already_costs_nothing()
    {
        using var store = Open(_registry.Port);
        await EnsureAsync(store, "1", null);
        Assert.That((await EnsureAsync(store, "2", 500_000)).LayerDirectories, Has.Count.EqualTo(2), "one layer of two is shared");
        Assert.That((await EnsureAsync(store, "1", 1024)).LayerDirectories, Has.Count.EqualTo(2), "nothing is missing");
    }

    [Test]
    public async Task A_refusal_stands_without_asking_again_until_the_budget_is_another()
    {
        var clock = new FakeTimeProvider(TimeProvider.System.GetUtcNow());
        await using var proxy = new CuttingProxy(_registry.Port, long.MaxValue);
        using var store = Open(proxy.Port, clock);
        Assert.That(() => EnsureAsync(store, "1", 700_000), Throws.TypeOf<ImagePullException>());
        var asked = proxy.BytesReturned;
        Assert.That(() => EnsureAsync(store, "1", 700_000), Throws.TypeOf<ImagePullException>().With.Property("IsOverBudget").True);
        Assert.That(proxy.BytesReturned, Is.EqualTo(asked));
        Assert.That((await EnsureAsync(store, "1", 900_000)).LayerDirectories, Has.Count.EqualTo(2));
    }

    [Test]
    public async Task Bytes_of_earlier_attempts_count_and_success_forgets_them()
    {
        var image = new TestImage(Packing.None, Noise(1), Noise(2));
        using (_fixture.Open())
        {
            // The directories of the store.
        }

        var spent = Path.Combine(_fixture.Options.ImagesDirectory, "partial", Digest.Hex(Digest.Of(image.Manifest)) + ".spent");
        File.WriteAllText(spent, "200000");
        using var store = Open(_registry.Port);
        Assert.That(() => EnsureAsync(store, "1", 900_000), Throws.TypeOf<ImagePullException>().With.Message.Contains("earlier attempts cost 0.19 MiB (200000 bytes)"));
        await EnsureAsync(store, "1", 1_100_000);
        Assert.That(File.Exists(spent), Is.False);
    }

    [Test]
    public void Bytes_that_come_again_after_a_cut_count()
    {
        var budget = new PullBudget(1000);
        budget.Begin(100, 800);
        budget.Spend(850);
        Assert.That(() => budget.Spend(51), Throws.TypeOf<ImagePullException>().With.Message.Contains("(1001 bytes)").And.Property("IsOverBudget").True);
        Assert.That(budget.SpentBytes, Is.EqualTo(1001));
    }

    [Test]
    public async Task What_a_cut_attempt_cost_is_kept_for_the_next_agent()
    {
        // Two layers come at once; a third connection is there to be cut only when all of an earlier one has been received.
        using var ended = new CancellationTokenSource();
        await using var proxy = new CuttingProxy(_registry.Port, cutAfter: 150_000) { OnCut = number => { if (number == 3) { ended.Cancel(); } } };
        using var first = Open(proxy.Port);
        Assert.That(() => first.EnsureAsync(StoreFixture.Reference("registry.test/big:1"), ImagePullPolicy.IfNotPresent, new PullTerms { MaxBytes = 10_000_000 }, ended.Token),
            Throws.InstanceOf<OperationCanceledException>());
        var spent = Directory.GetFiles(Path.Combine(_fixture.Options.ImagesDirectory, "partial"), "*.spent");
        Assert.That(long.Parse(File.ReadAllText(spent.Single())), Is.InRange(100_000, 2 * Layer));
    }

    [Test]
    public async Task All_downloads_together_keep_the_rate()
    {
        _fixture.Options = _fixture.Options with { MaxBytesPerSecond = 400_000 };
        using var store = Open(_registry.Port);
        var began = Stopwatch.GetTimestamp();
        await EnsureAsync(store, "1", null);
        Assert.That(Stopwatch.GetElapsedTime(began), Is.InRange(TimeSpan.FromSeconds(1.8), TimeSpan.FromSeconds(10)), "0.8 MB at 0.4 MB/s");
    }

    private static byte[] Noise(int seed)
    {
        var noise = new byte[Layer];
        new Random(seed).NextBytes(noise);
        return new TarBuilder().Add('0', $"noise-{seed}", noise).ToArray();
    }

    private ImageStore Open(int port, TimeProvider? time = null)
    {
        _fixture.Options = _fixture.Options with { Registries = new Dictionary<string, RegistryAccess> { ["registry.test"] = new() { Url = new Uri($"http://127.0.0.1:{port}") } } };
        return _fixture.Open(time);
    }

    private static Task<StoredImage> EnsureAsync(ImageStore store, string tag, long? maxBytes) =>
        store.EnsureAsync(StoreFixture.Reference($"registry.test/big:{tag}"), ImagePullPolicy.IfNotPresent, new PullTerms { MaxBytes = maxBytes }, CancellationToken.None);
}
