using System.Globalization;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.Containers.Images;
using EdgeVirt.Node.Networks;
using EdgeVirt.Node.Tests.Hub;
using EdgeVirt.Testing;

namespace EdgeVirt.Node.Tests.Containers.Images;

/// <summary>Over which of a board's links a pull may go, against Debian's docker-registry.</summary>
[Category("root")]
internal sealed class UplinkCostTests
{
    /// <summary>Much more than the kernel takes in ahead of a reader that is held back.</summary>
    private const int LayerBytes = 16_000_000;
    private const int PartBytes = 2_000_000;

    private StoreFixture _fixture = null!;
    private TestImage _image = null!;

    [SetUp]
    public void Prepare()
    {
        _fixture = new StoreFixture();
        var noise = new byte[LayerBytes];
        new Random(1).NextBytes(noise);
        _image = new TestImage(Packing.None, new TarBuilder().Add('0', "noise", noise).ToArray());
    }

    [TearDown]
    public void Remove() => _fixture.Dispose();

    [Test]
    public async Task A_pull_over_a_link_that_costs_too_much_waits_and_its_own_limit_wins_over_the_nodes()
    {
        using var registry = new DockerRegistry(_fixture.Root);
        await registry.StartAsync();
        await registry.PushAsync(_image, "app", "1");
        using var store = Open(registry.Url, new UplinkOptions { Interface = "lo", Cost = 20 });
        Assert.That(() => EnsureAsync(store, null), Throws.TypeOf<ImagePullException>().With.Property("IsOverUplinkCost").True
            .And.Message.Contains("127.0.0.1 is reached by lo only, which costs 20, and maxUplinkCost allows 0"));
        Assert.That(() => EnsureAsync(store, 19), Throws.TypeOf<ImagePullException>().With.Property("IsOverUplinkCost").True);
        Assert.That((await EnsureAsync(store, 20)).LayerDirectories, Has.Count.EqualTo(1));
    }

    [Test]
    public async Task A_pull_whose_cheap_link_fails_in_the_middle_takes_no_byte_over_the_dear_one_and_goes_on_when_the_cheap_one_is_back()
    {
        using var network = new TestNetwork();
        var place = network.Namespaces[0];
        var subnet = network.HostAddress.ToString()[..^1];
        var (cheap, dear, registryAddress) = ($"{network.Name}h51", $"{network.Name}h52", $"{subnet}200");
        Command.Run("ip", "-n", place.Name, "address", "add", $"{registryAddress}/32", "dev", "lo");
        Join(cheap, "cheap", $"{subnet}101", 1);
        Join(dear, "dear", $"{subnet}102", 2);
        using var registry = new DockerRegistry(_fixture.Root, place: (registryAddress, place.Name));
        await registry.StartAsync();
        await registry.PushAsync(_image, "app", "1");
        _fixture.Options = _fixture.Options with { MaxBytesPerSecond = LayerBytes / 4, Retry = _fixture.Options.Retry with { IdleTimeout = TimeSpan.FromSeconds(1) } };
        using var store = Open(registry.Url, new UplinkOptions { Interface = dear, Cost = 20 });

        var before = ReceivedBytes(dear);
        var pull = EnsureAsync(store, null);
        await Eventually.HoldsAsync(() => Partial() > PartBytes, "part of the layer is here");
        Command.Run("ip", "link", "set", cheap, "down");
        Assert.That(() => pull, Throws.TypeOf<ImagePullException>().With.Property("IsOverUplinkCost").True.And.Message.Contains($"reached by {dear} only"));
        var kept = Partial();
        Assert.That(kept, Is.InRange(PartBytes, LayerBytes - 1));
        Assert.That(ReceivedBytes(dear) - before, Is.LessThan(5_000), "what the kernel says to a new neighbour, and nothing of the image");

        Command.Run("ip", "link", "set", cheap, "up");
        Command.Run("ip", "route", "replace", $"{registryAddress}/32", "dev", cheap, "src", $"{subnet}101", "metric", "1");
        var again = ReceivedBytes(cheap);
        Assert.That((await EnsureAsync(store, null)).LayerDirectories, Has.Count.EqualTo(1));
        Assert.That(ReceivedBytes(cheap) - again, Is.LessThan((LayerBytes - kept) * 1.06 + PartBytes / 2), "only the rest came, its headers, and what the old connection had under way");
        Assert.That(ReceivedBytes(dear) - before, Is.LessThan(5_000));

        void Join(string link, string peer, string address, int metric)
        {
            Command.Run("ip", "link", "add", link, "type", "veth", "peer", "name", peer, "netns", place.Name);
            Command.Run("ip", "address", "add", $"{address}/32", "dev", link);
            Command.Run("ip", "link", "set", link, "up");
            Command.Run("ip", "-n", place.Name, "link", "set", peer, "up");
            Command.Run("ip", "-n", place.Name, "route", "add", $"{address}/32", "dev", peer);
            Command.Run("ip", "route", "add", $"{registryAddress}/32", "dev", link, "src", address, "metric", metric.ToString(CultureInfo.InvariantCulture));
        }
    }

    private ImageStore Open(Uri registry, UplinkOptions uplink)
    {
        _fixture.Options = _fixture.Options with
        {
            Registries = new Dictionary<string, RegistryAccess> { ["r.test"] = new() { Url = registry } },
            Uplinks = new Uplinks([uplink]),
            MaxUplinkCost = 0,
        };
        return _fixture.Open();
    }

    private static Task<StoredImage> EnsureAsync(ImageStore store, int? maxUplinkCost) =>
        store.EnsureAsync(StoreFixture.Reference("r.test/app:1"), ImagePullPolicy.IfNotPresent, new PullTerms { MaxUplinkCost = maxUplinkCost }, CancellationToken.None);

    private long Partial() => Directory.Exists(Path.Combine(_fixture.Options.ImagesDirectory, "partial"))
        ? new DirectoryInfo(Path.Combine(_fixture.Options.ImagesDirectory, "partial")).EnumerateFiles().Select(file => file.Length).DefaultIfEmpty().Max()
        : 0;

    private static long ReceivedBytes(string link) => long.Parse(File.ReadAllText($"/sys/class/net/{link}/statistics/rx_bytes"), CultureInfo.InvariantCulture);
}
