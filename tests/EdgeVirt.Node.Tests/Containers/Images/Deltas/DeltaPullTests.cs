using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.Containers.Images;

namespace EdgeVirt.Node.Tests.Containers.Images.Deltas;

/// <summary>Pulls of zstd:chunked layers that a node has most of, against Debian's docker-registry.</summary>
[Category("root")]
internal sealed class DeltaPullTests
{
    private const int Files = 200;
    private const int FileBytes = 20_000;

    private DeltaFixture _fixture = null!;

    [SetUp]
    public async Task StartAsync() => _fixture = await DeltaFixture.StartAsync();

    [TearDown]
    public async Task StopAsync() => await _fixture.DisposeAsync();

    [TestCase(true)]
    [TestCase(false)]
    public async Task One_changed_file_of_many_costs_a_twentieth_of_the_layer_at_most(bool withTarSplit)
    {
        await PushAsync("1", new ChunkedLayerWriter { WithTarSplit = withTarSplit }, DeltaFixture.Tar(Files, FileBytes));
        var layer = await PushAsync("2", new ChunkedLayerWriter { WithTarSplit = withTarSplit }, DeltaFixture.Tar(Files, FileBytes, changed: 100));
        await _fixture.PullAsync(_fixture.Registry.Port, "1");
        var link = _fixture.Link();
        var stored = await _fixture.PullAsync(link.Port, "2", ImageDeltaPolicy.Required);
        TestContext.Out.WriteLine($"{link.BytesReturned} of {layer} bytes, {(double)link.BytesReturned / layer:P2}, {link.Requests.Count} requests");
        Assert.That(link.BytesReturned, Is.InRange(FileBytes, layer / 20));
        Assert.That(_fixture.Log.Lines, Has.Some.Contains("are to be fetched, the rest is on this node").And.Some.Match("Pulled .*: [0-9]+ of the [0-9]+ bytes of its layers were fetched"));
        await _fixture.AssertSameAsFullPullAsync(stored, "2");
        Assert.That(Directory.GetFiles(Path.Combine(_fixture.Store.Options.ImagesDirectory, "partial")), Is.Empty);
    }

    [Test]
    public async Task What_came_as_gzip_and_what_has_another_name_is_found_too()
    {
        byte[] Renamed(bool isRenamed) => DeltaFixture.Tar(100, FileBytes, more: tar => tar.Directory("opt/").Directory("opt/other/").Add('0', isRenamed ? "opt/other/blob" : "blob", DeltaFixture.Noise(-1, 3_000_000)));
        await _fixture.Registry.PushAsync(new TestImage(Packing.Gzip, Renamed(false)), "delta", "1");
        var layer = await PushAsync("2", new ChunkedLayerWriter { WithTarSplit = true }, Renamed(true));
        await _fixture.PullAsync(_fixture.Registry.Port, "1");
        var link = _fixture.Link();
        var stored = await _fixture.PullAsync(link.Port, "2");
        Assert.That(link.BytesReturned, Is.LessThan(layer / 20));
        await _fixture.AssertSameAsFullPullAsync(stored, "2");
    }

    [Test]
    public async Task Of_a_large_file_that_grew_the_new_parts_are_fetched_and_holes_never()
    {
        var grown = new byte[4_000_000];
        DeltaFixture.Noise(1, 2_000_000).CopyTo(grown, 0);
        DeltaFixture.Noise(2, 100_000).CopyTo(grown, 3_500_000);
        byte[] Tar(byte[] content) => new TarBuilder().Add('0', "big", content).ToArray();
        ChunkedLayerWriter Writer() => new() { WithTarSplit = true, PartBytes = 50_000 };
        await PushAsync("1", Writer(), Tar(grown[..2_000_000]));
        await PushAsync("2", Writer(), Tar(grown));
        await _fixture.PullAsync(_fixture.Registry.Port, "1");
        var link = _fixture.Link();
        var stored = await _fixture.PullAsync(link.Port, "2", ImageDeltaPolicy.Required);
        Assert.That(link.BytesReturned, Is.InRange(100_000, 130_000));
        await _fixture.AssertSameAsFullPullAsync(stored, "2");
    }

    [Test]
    public async Task A_file_that_flash_has_damaged_is_fetched_again()
    {
        await PushAsync("1", new ChunkedLayerWriter(), DeltaFixture.Tar(Files, FileBytes));
        await PushAsync("2", new ChunkedLayerWriter(), DeltaFixture.Tar(Files, FileBytes, changed: 100));
        var first = await _fixture.PullAsync(_fixture.Registry.Port, "1");
        var damaged = Path.Combine(first.LayerDirectories[0], "app", "file-0050");
        var bytes = await File.ReadAllBytesAsync(damaged);
        bytes[FileBytes / 2] ^= 1;
        await File.WriteAllBytesAsync(damaged, bytes);
        var link = _fixture.Link();
        var stored = await _fixture.PullAsync(link.Port, "2", ImageDeltaPolicy.Required);
        Assert.That(link.BytesReturned, Is.GreaterThan(2 * FileBytes), "the changed file and the damaged one");
        await _fixture.AssertSameAsFullPullAsync(stored, "2");
    }

    [Test]
    public async Task Cuts_and_an_agent_that_ended_cost_no_range_twice()
    {
        byte[] Half(bool isSecond) => DeltaFixture.Tar(Files / 2, FileBytes, more: tar => Enumerable.Range(0, 100).ToList()
            .ForEach(number => tar.Directory("more/").Add('0', $"more/{number}", DeltaFixture.Noise((isSecond ? 70_000 : 80_000) + number, FileBytes))));
        await PushAsync("1", new ChunkedLayerWriter { WithTarSplit = true }, Half(false));
        await PushAsync("2", new ChunkedLayerWriter { WithTarSplit = true }, Half(true));
        using var twin = new StoreFixture();
        await _fixture.PullAsync(_fixture.Registry.Port, "1");
        await _fixture.PullAsync(twin, _fixture.Registry.Port, "1", PullTerms.None);
        var clean = _fixture.Link();
        await _fixture.PullAsync(twin, clean.Port, "2", new PullTerms { Delta = ImageDeltaPolicy.Required });

        using var ended = new CancellationTokenSource();
        var first = new CuttingProxy(_fixture.Registry.Port, 60_000) { OnCut = number => { if (number == 20) { ended.Cancel(); } } };
        await using var disposing = first;
        Assert.That(() => _fixture.PullAsync(first.Port, "2", ImageDeltaPolicy.Required, ct: ended.Token), Throws.InstanceOf<OperationCanceledException>());
        var second = _fixture.Link(60_000);
        var stored = await _fixture.PullAsync(second.Port, "2", ImageDeltaPolicy.Required);
        Assert.That(first.BytesReturned + second.BytesReturned, Is.LessThan(clean.BytesReturned * 1.1), $"{first.Cuts} and {second.Cuts} cuts; {clean.BytesReturned} without");
        await _fixture.AssertSameAsFullPullAsync(stored, "2");
    }

    [Test]
    public async Task The_budget_counts_what_is_fetched_and_not_what_is_here()
    {
        var layer = await PushAsync("1", new ChunkedLayerWriter { WithTarSplit = true }, DeltaFixture.Tar(Files, FileBytes));
        await PushAsync("2", new ChunkedLayerWriter { WithTarSplit = true }, DeltaFixture.Tar(Files, FileBytes, changed: 100));
        await _fixture.PullAsync(_fixture.Registry.Port, "1");
        Assert.That(() => _fixture.PullAsync(_fixture.Registry.Port, "2", maxBytes: 25_000), Throws.TypeOf<ImagePullException>().With.Property("IsOverBudget").True);
        Assert.That((await _fixture.PullAsync(_fixture.Registry.Port, "2", maxBytes: layer / 20)).LayerDirectories, Has.Count.EqualTo(1));
    }

    [Test]
    public async Task The_list_of_images_says_what_each_pull_fetched_of_how_much()
    {
        var first = await PushAsync("1", new ChunkedLayerWriter { WithTarSplit = true }, DeltaFixture.Tar(Files, FileBytes));
        var second = await PushAsync("2", new ChunkedLayerWriter { WithTarSplit = true }, DeltaFixture.Tar(Files, FileBytes, changed: 100));
        await _fixture.PullAsync(_fixture.Registry.Port, "1");
        await _fixture.PullAsync(_fixture.Registry.Port, "2");
        using var again = _fixture.Store.Open();
        var images = again.List(Enumerable.Empty<string>().ToLookup(_ => "")).Items;
        Assert.That(images.Select(image => image.LayerBytes), Is.EqualTo(new[] { first, second }));
        Assert.That(images[0].FetchedBytes, Is.EqualTo(first));
        Assert.That(images[1].FetchedBytes, Is.InRange(FileBytes, second / 20));
    }

    [Test]
    public async Task Garbage_collection_leaves_the_layers_that_a_pull_takes_from()
    {
        await PushAsync("1", new ChunkedLayerWriter { WithTarSplit = true }, DeltaFixture.Tar(Files, FileBytes));
        await PushAsync("2", new ChunkedLayerWriter { WithTarSplit = true }, DeltaFixture.Tar(Files, FileBytes, changed: 100));
        var options = _fixture.Store.Options with { Garbage = new ImageGarbagePolicy { MinAge = TimeSpan.Zero, MaxUnusedAge = TimeSpan.Zero } };
        await _fixture.PullAsync(_fixture.Registry.Port, "1");
        ImageStore? store = null;
        await using var link = new CuttingProxy(_fixture.Registry.Port, 26_000)
        {
            OnCut = _ => store!.CollectGarbageAsync(new HashSet<string>(), CancellationToken.None).GetAwaiter().GetResult(),
        };
        _fixture.Store.Options = options with { Registries = new Dictionary<string, RegistryAccess> { ["registry.test"] = new() { Url = new Uri($"http://127.0.0.1:{link.Port}") } } };
        store = _fixture.Store.Open(log: _fixture.Log);
        var stored = await store.EnsureAsync(
            StoreFixture.Reference("registry.test/delta:2"), ImagePullPolicy.IfNotPresent, new PullTerms { Delta = ImageDeltaPolicy.Required }, CancellationToken.None);
        Assert.That(link.Cuts, Is.GreaterThan(0), "or nothing was collected meanwhile");
        await store.CollectGarbageAsync(new HashSet<string> { stored.ManifestDigest }, CancellationToken.None);
        Assert.That(Directory.GetDirectories(_fixture.Store.Layers), Is.EqualTo(stored.LayerDirectories), "the first one's layer went afterwards");
    }

    private async Task<long> PushAsync(string tag, ChunkedLayerWriter writer, byte[] tar)
    {
        var image = writer.Image(tar);
        await _fixture.Registry.PushAsync(image, "delta", tag);
        return image.Layers[^1].Length;
    }
}
