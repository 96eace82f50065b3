using System.Text.Json.Nodes;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.Containers.Images;

namespace EdgeVirt.Node.Tests.Containers.Images.Deltas;

/// <summary>Tables of contents and registries that lie: the layer is fetched whole, and the log says why; never a wrong tree.</summary>
[Category("root")]
internal sealed class HostileContentsTests
{
    private const int Files = 12;
    private const int FileBytes = 20_000;

    private StoreFixture _store = null!;
    private LogCollector _log = null!;

    [SetUp]
    public void Start() => (_store, _log) = (new StoreFixture(), new LogCollector());

    [TearDown]
    public void Stop() => _store.Dispose();

    private static IEnumerable<TestCaseData> Lies()
    {
        static TestCaseData Lie(string name, string reason, Action<JsonObject> tamper) => new TestCaseData(reason, tamper).SetArgDisplayNames(name);
        static JsonNode Entry(JsonObject contents, int number) => contents["entries"]!.AsArray().Where(entry => (string?)entry!["type"] == "reg" && (long?)entry["size"] > 0).ElementAt(number)!;

        yield return Lie("another version", "a version that this node does not know", contents => contents["version"] = 2);
        yield return Lie("negative size", "has no name or no size", contents => Entry(contents, 3)["size"] = -5);
        yield return Lie("huge size", "unpacks to more", contents => Entry(contents, 3)["size"] = long.MaxValue);
        yield return Lie("negative offset", "overlap, are out of order", contents => Entry(contents, 3)["offset"] = -1);
        yield return Lie("ends before it begins", "overlap, are out of order", contents => Entry(contents, 3)["endOffset"] = 1);
        yield return Lie("out of the layer", "overlap, are out of order", contents => Entry(contents, Files - 1)["endOffset"] = 1L << 40);
        yield return Lie("overlapping", "overlap, are out of order", contents => Entry(contents, 3)["offset"] = (long)Entry(contents, 2)["endOffset"]! - 1);
        yield return Lie("no digest", "has no digest", contents => Entry(contents, 3)["digest"] = "md5:1");
        yield return Lie("part of no file", "belongs to no file", contents => Entry(contents, 3)["type"] = "chunk");
        yield return Lie("no JSON that fits", "is damaged", contents => contents["entries"]!.AsArray().Insert(0, JsonValue.Create("entry")));
        yield return Lie("content of another file", "put together is another one", contents => (Entry(contents, 3)["digest"], Entry(contents, 3)["size"]) = (Entry(contents, 2)["digest"]!.DeepClone(), Entry(contents, 2)["size"]!.DeepClone()));
        yield return Lie("shorter than its frame", "put together is another one", contents => (Entry(contents, 5)["size"], Entry(contents, 5)["digest"]) = (10, Digest.Of(new byte[10])));
    }

    [TestCaseSource(nameof(Lies))]
    public Task A_table_of_contents_that_lies(string reason, Action<JsonObject> tamper) =>
        PullsWholeAsync(reason, new ChunkedLayerWriter { WithTarSplit = true, Tamper = tamper });

    [TestCase("manifest-position", "1:2:3:4:5", "is no place in the layer")]
    [TestCase("manifest-position", "-8:100:100:1", "is no place in the layer")]
    [TestCase("manifest-position", "9223372036854775807:9223372036854775807:1:1", "is no place in the layer")]
    [TestCase("manifest-position", "8:100:1099511627776:1", "too large")]
    [TestCase("manifest-position", "8:100:100:2", "does not know")]
    [TestCase("manifest-checksum", "sha256:0000000000000000000000000000000000000000000000000000000000000000", "does not have the digest")]
    [TestCase("manifest-checksum", "crc:1", "does not know")]
    [TestCase("tarsplit-position", "8:99999999999:1", "is no place in the layer")]
    public Task An_annotation_that_lies(string name, string value, string reason)
    {
        var writer = new ChunkedLayerWriter { WithTarSplit = true };
        return PullsWholeAsync(reason, writer, () => writer.Annotations["io.github.containers.zstd-chunked." + name] = value);
    }

    [Test]
    public Task A_table_of_contents_that_unpacks_to_more_than_it_says()
    {
        var writer = new ChunkedLayerWriter();
        return PullsWholeAsync("larger than the annotation says", writer, () =>
        {
            var position = writer.Annotations["io.github.containers.zstd-chunked.manifest-position"].Split(':');
            writer.Annotations["io.github.containers.zstd-chunked.manifest-position"] = $"{position[0]}:{position[1]}:100:1";
        });
    }

    [Test]
    public async Task A_registry_that_gives_wrong_bytes_for_a_range()
    {
        await using var registry = await WithFirstVersionAsync(hasRanges: true);
        registry.Serve(new ChunkedLayerWriter().Image(DeltaFixture.Tar(Files, FileBytes, changed: 3)), "delta", "2");
        registry.SpoilRange = bytes => bytes[^(bytes.Length / 3)] ^= bytes.Length > FileBytes ? (byte)1 : (byte)0;
        var stored = await PullAsync(registry, "2", ImageDeltaPolicy.Preferred);
        Assert.That(_log.Lines, Has.Some.Contains("put together is another one"));
        AssertFiles(stored);
    }

    [Test]
    public async Task A_frame_that_unpacks_to_more_than_the_file()
    {
        await using var registry = await WithFirstVersionAsync(hasRanges: true);
        var writer = new ChunkedLayerWriter { Tamper = contents => contents["entries"]!.AsArray()[4]!["size"] = 64 };
        registry.Serve(writer.Image(DeltaFixture.Tar(Files, FileBytes, changed: 3)), "delta", "2");
        AssertFiles(await PullAsync(registry, "2", ImageDeltaPolicy.Preferred));
    }

    [Test]
    public async Task A_layer_whose_real_content_is_another_is_refused_and_leaves_nothing()
    {
        await using var registry = await WithFirstVersionAsync(hasRanges: true);
        var before = _store.Stored();
        var image = new ChunkedLayerWriter().Image(DeltaFixture.Tar(Files, FileBytes, changed: 3));
        image.DiffIds[^1] = Digest.Of("something else"u8);
        registry.Serve(image, "delta", "2");
        Assert.That(() => PullAsync(registry, "2", ImageDeltaPolicy.Preferred), Throws.TypeOf<ImageRefusedException>().With.Property("Reason").EqualTo(ImageRefusedReason.DiffIdMismatch));
        Assert.That(_store.Stored(), Is.EquivalentTo(before));
    }

    [Test]
    public async Task A_registry_without_ranges_gives_the_layer_whole()
    {
        await using var registry = await WithFirstVersionAsync(hasRanges: false);
        registry.Serve(new ChunkedLayerWriter().Image(DeltaFixture.Tar(Files, FileBytes, changed: 3)), "delta", "2");
        AssertFiles(await PullAsync(registry, "2", ImageDeltaPolicy.Preferred));
        Assert.That(_log.Lines, Has.Some.Contains("gives no parts of layers (it answered 200 to a Range request)"));
    }

    [Test]
    public async Task A_mirror_without_ranges_is_passed_by_for_them_alone()
    {
        await using var registry = await WithFirstVersionAsync(hasRanges: true);
        await using var mirror = new FakeRegistry();
        var image = new ChunkedLayerWriter().Image(DeltaFixture.Tar(Files, FileBytes, changed: 3));
        registry.Serve(image, "delta", "2");
        mirror.Serve(image, "delta", "2");
        _store.Options = _store.Options with
        {
            Registries = new Dictionary<string, RegistryAccess>
            {
                ["registry.test"] = new() { Url = new Uri($"http://127.0.0.1:{registry.Port}"), Mirrors = [new Uri($"http://127.0.0.1:{mirror.Port}")] },
            },
        };
        using var store = _store.Open(log: _log);
        AssertFiles(await store.EnsureAsync(
            StoreFixture.Reference("registry.test/delta:2"), ImagePullPolicy.IfNotPresent, new PullTerms { Delta = ImageDeltaPolicy.Required }, CancellationToken.None));
        Assert.That(_log.Lines, Has.None.Contains("passed over"));
    }

    [TestCase(false, true, "its registry gives no parts")]
    [TestCase(true, false, "not compressed as zstd:chunked")]
    public async Task Where_a_delta_is_required_nothing_is_fetched_whole(bool hasRanges, bool isChunked, string reason)
    {
        await using var registry = await WithFirstVersionAsync(hasRanges);
        var tar = DeltaFixture.Tar(400, FileBytes, changed: 3);
        registry.Serve(isChunked ? new ChunkedLayerWriter().Image(tar) : new TestImage(Packing.Gzip, tar), "delta", "2");
        await using var link = new CuttingProxy(registry.Port, long.MaxValue);
        Assert.That(() => PullAsync(link.Port, "2", ImageDeltaPolicy.Required), Throws.TypeOf<ImagePullException>().With.Property("IsDeltaUnavailable").True
            .And.Message.Contains(reason).And.Message.Contains("imagePull.delta is Required"));
        Assert.That(link.BytesReturned, Is.LessThan(6_000_000), "what was on its way when the answer was refused");
        Assert.That(Directory.GetFiles(Path.Combine(_store.Options.ImagesDirectory, "partial")), Is.Empty);
    }

    [Test]
    public async Task A_first_image_is_a_plain_pull_and_required_refuses_it()
    {
        await using var registry = new FakeRegistry { HasRanges = true };
        registry.Serve(new ChunkedLayerWriter().Image(DeltaFixture.Tar(Files, FileBytes)), "delta", "1");
        await using var link = new CuttingProxy(registry.Port, long.MaxValue);
        Assert.That(() => PullAsync(link.Port, "1", ImageDeltaPolicy.Required), Throws.TypeOf<ImagePullException>().With.Message.Contains("no other layer is on this node"));
        Assert.That(link.BytesReturned, Is.LessThan(5_000), "manifest and config alone");
        await PullAsync(link.Port, "1", ImageDeltaPolicy.Preferred);
        Assert.That(_log.Lines, Has.Some.Match("is fetched whole, [0-9]+ bytes: no other layer is on this node"));
    }

    [Test]
    public async Task Never_asks_for_no_table_of_contents()
    {
        await using var registry = await WithFirstVersionAsync(hasRanges: true);
        registry.Serve(new ChunkedLayerWriter().Image(DeltaFixture.Tar(Files, FileBytes, changed: 3)), "delta", "2");
        registry.SpoilRange = _ => Assert.Fail("A range was asked for.");
        AssertFiles(await PullAsync(registry, "2", ImageDeltaPolicy.Never));
    }

    private async Task PullsWholeAsync(string reason, ChunkedLayerWriter writer, Action? afterwards = null)
    {
        await using var registry = await WithFirstVersionAsync(hasRanges: true);
        var image = writer.Image(DeltaFixture.Tar(Files, FileBytes, changed: 3));
        afterwards?.Invoke();
        image = Annotated(image, writer);
        registry.Serve(image, "delta", "2");
        Assert.That(() => PullAsync(registry, "2", ImageDeltaPolicy.Required), Throws.TypeOf<ImagePullException>().With.Property("IsDeltaUnavailable").True.And.Message.Contains(reason));
        var stored = await PullAsync(registry, "2", ImageDeltaPolicy.Preferred);
        Assert.That(_log.Lines, Has.Some.Contains(reason).And.Some.Contains("is fetched whole"));
        AssertFiles(stored);
        Assert.That(Directory.GetFiles(Path.Combine(_store.Options.ImagesDirectory, "partial")), Is.Empty);
    }

    private static TestImage Annotated(TestImage image, ChunkedLayerWriter writer)
    {
        image.Tamper = manifest => manifest["layers"]![0]!["annotations"] = new JsonObject(writer.Annotations.Select(one => KeyValuePair.Create<string, JsonNode?>(one.Key, one.Value)));
        return image;
    }

    private async Task<FakeRegistry> WithFirstVersionAsync(bool hasRanges)
    {
        var registry = new FakeRegistry { HasRanges = hasRanges };
        registry.Serve(new TestImage(Packing.Gzip, DeltaFixture.Tar(Files, FileBytes)), "delta", "1");
        await PullAsync(registry, "1", ImageDeltaPolicy.Never);
        return registry;
    }

    private static void AssertFiles(StoredImage stored)
    {
        for (var number = 0; number < Files; number++)
        {
            var expected = DeltaFixture.Noise(number == 3 ? 1_000_000 : number, FileBytes + number);
            Assert.That(File.ReadAllBytes(Path.Combine(stored.LayerDirectories[0], "app", $"file-{number:D4}")), Is.EqualTo(expected), $"file {number}");
        }
    }

    private Task<StoredImage> PullAsync(FakeRegistry registry, string tag, ImageDeltaPolicy delta) => PullAsync(registry.Port, tag, delta);

    private async Task<StoredImage> PullAsync(int port, string tag, ImageDeltaPolicy delta)
    {
        _store.Options = _store.Options with { Registries = new Dictionary<string, RegistryAccess> { ["registry.test"] = new() { Url = new Uri($"http://127.0.0.1:{port}") } } };
        using var store = _store.Open(log: _log);
        return await store.EnsureAsync(StoreFixture.Reference($"registry.test/delta:{tag}"), ImagePullPolicy.IfNotPresent, new PullTerms { Delta = delta }, CancellationToken.None);
    }
}
