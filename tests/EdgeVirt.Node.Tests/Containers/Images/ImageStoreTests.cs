using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.Containers.Images;
using Microsoft.Extensions.Time.Testing;

namespace EdgeVirt.Node.Tests.Containers.Images;

[Category("root")]
internal sealed class ImageStoreTests
{
    private StoreFixture _fixture = null!;

    [SetUp]
    public void Prepare() => _fixture = new StoreFixture();

    [TearDown]
    public void CleanUp() => _fixture.Dispose();

    [Test]
    public async Task Gives_a_layer_that_appears_twice_two_directories()
    {
        var layer = new TarBuilder().File("a").ToArray();
        new TestImage(Packing.Gzip, layer, new TarBuilder().File("b").ToArray(), layer).WriteLayout(_fixture.Layout);
        var stored = await _fixture.PullLayoutAsync();
        Assert.That(stored.LayerDirectories, Is.Unique.And.Count.EqualTo(3));
        Assert.That(File.Exists(Path.Combine(stored.LayerDirectories[2], "a")));
    }

    [Test]
    public async Task A_directory_that_a_layer_only_implies_looks_as_it_does_below()
    {
        new TestImage(Packing.Gzip, new TarBuilder().Directory("./", mode: 0x1C0).Directory("tmp", mode: 0x3FF).File("tmp/x").ToArray(),
            new TarBuilder().File("tmp/.wh.x", "").ToArray()).WriteLayout(_fixture.Layout);
        var stored = await _fixture.PullLayoutAsync();
        Assert.That((int)File.GetUnixFileMode(Path.Combine(stored.LayerDirectories[1], "tmp")), Is.EqualTo(0x3FF));
        Assert.That((int)File.GetUnixFileMode(stored.LayerDirectories[1]), Is.EqualTo(0x1C0));
    }

    [TestCase("manifest", "flip")]
    [TestCase("manifest", "truncate")]
    [TestCase("config", "flip")]
    [TestCase("config", "truncate")]
    [TestCase("ref", "flip")]
    [TestCase("ref", "truncate")]
    [TestCase("marker", "truncate")]
    [TestCase("layer", "remove")]
    public async Task Pulls_again_what_is_damaged(string part, string damage)
    {
        var image = Sample();
        image.WriteLayout(_fixture.Layout);
        var before = await _fixture.PullLayoutAsync();
        var path = part switch
        {
            "manifest" => Path.Combine(_fixture.Blobs, Digest.Hex(before.ManifestDigest)),
            "config" => Path.Combine(_fixture.Blobs, Digest.Hex(Digest.Of(image.Config))),
            "ref" => Directory.GetFiles(Path.Combine(_fixture.Options.ImagesDirectory, "refs"))[0],
            "marker" => before.LayerDirectories[0] + ".complete",
            _ => before.LayerDirectories[0],
        };
        Damage(path, damage);

        using var store = _fixture.Open();
        var reference = StoreFixture.Reference($"oci:{_fixture.Layout}:v1");
        Assert.That(await store.FindAsync(reference, CancellationToken.None), Is.Null);
        var after = await store.EnsureAsync(reference, ImagePullPolicy.IfNotPresent, CancellationToken.None);
        Assert.That(after.ManifestDigest, Is.EqualTo(before.ManifestDigest));
        Assert.That(File.ReadAllText(Path.Combine(after.LayerDirectories[0], "a")), Is.EqualTo("content"));
        Assert.That(await store.FindAsync(reference, CancellationToken.None), Is.Not.Null);
        if (part is "manifest" or "config" or "ref")
        {
            Assert.That(Directory.GetFiles(_fixture.Options.QuarantineDirectory), Has.Length.EqualTo(1));
        }
    }

    [Test]
    public async Task Removes_what_a_crash_left_and_keeps_what_is_whole()
    {
        Sample().WriteLayout(_fixture.Layout);
        var stored = await _fixture.PullLayoutAsync();
        var whole = _fixture.Stored();
        foreach (var rest in (string[])[".tmp-" + new string('a', 64), ".trash-" + new string('b', 64), new string('c', 64)])
        {
            Directory.CreateDirectory(Path.Combine(_fixture.Layers, rest, "deep"));
        }

        File.WriteAllText(Path.Combine(_fixture.Blobs, "x.tmp"), "");
        using var store = _fixture.Open();
        Assert.That(_fixture.Stored(), Is.EquivalentTo(whole));
        Assert.That((await store.FindAsync(StoreFixture.Reference($"oci:{_fixture.Layout}:v1"), CancellationToken.None))!.LayerDirectories, Is.EqualTo(stored.LayerDirectories));
    }

    [Test]
    public async Task Collects_what_nobody_uses_and_nothing_else()
    {
        var clock = new FakeTimeProvider(DateTimeOffset.UtcNow);
        _fixture.Options = _fixture.Options with { Garbage = _fixture.Options.Garbage with { MaxUnusedAge = TimeSpan.FromMinutes(30) } };
        var shared = new TarBuilder().File("shared").ToArray();
        new TestImage(Packing.Gzip, shared, new TarBuilder().File("one").ToArray()).WriteLayout(_fixture.Layout, "one");
        using var store = _fixture.Open(clock);
        var one = await store.EnsureAsync(StoreFixture.Reference($"oci:{_fixture.Layout}:one"), ImagePullPolicy.IfNotPresent, CancellationToken.None);
        new TestImage(Packing.Gzip, shared, new TarBuilder().File("two").ToArray()).WriteLayout(_fixture.Layout, "two");
        var two = await store.EnsureAsync(StoreFixture.Reference($"oci:{_fixture.Layout}:two"), ImagePullPolicy.IfNotPresent, CancellationToken.None);

        await store.CollectGarbageAsync(new HashSet<string>(), CancellationToken.None);
        Assert.That(Directory.Exists(one.LayerDirectories[1]), "still within the grace period");

        clock.Advance(TimeSpan.FromHours(1));
        await store.CollectGarbageAsync(new HashSet<string> { two.ManifestDigest }, CancellationToken.None);
        Assert.That(Directory.Exists(one.LayerDirectories[1]), Is.False);
        Assert.That(two.LayerDirectories, Has.All.Matches<string>(Directory.Exists));
        Assert.That(await store.FindAsync(StoreFixture.Reference($"oci:{_fixture.Layout}:two"), CancellationToken.None), Is.Not.Null);

        await store.CollectGarbageAsync(new HashSet<string>(), CancellationToken.None);
        Assert.That(_fixture.Stored(), Is.Empty);
    }

    [Test]
    public async Task A_refused_image_leaves_the_layers_of_others_alone()
    {
        var shared = new TarBuilder().File("shared").ToArray();
        new TestImage(Packing.Gzip, shared).WriteLayout(_fixture.Layout, "good");
        var good = await _fixture.PullLayoutAsync("good");
        var stored = _fixture.Stored();
        new TestImage(Packing.Gzip, shared, new TarBuilder().File("x").ToArray(), new TarBuilder().Add('3', "dev").ToArray()).WriteLayout(_fixture.Layout, "bad");
        Assert.That(() => _fixture.PullLayoutAsync("bad"), Throws.TypeOf<ImageRefusedException>());
        Assert.That(_fixture.Stored(), Is.EquivalentTo(stored));
        Assert.That(good.LayerDirectories, Has.All.Matches<string>(Directory.Exists));
    }

    [Test]
    public async Task Only_root_may_enter_the_store()
    {
        Sample().WriteLayout(_fixture.Layout);
        await _fixture.PullLayoutAsync();
        Assert.That(File.GetUnixFileMode(_fixture.Options.ImagesDirectory), Is.EqualTo(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute));
    }

    private static TestImage Sample() => new(Packing.Gzip, new TarBuilder().File("a").ToArray());

    private static void Damage(string path, string damage)
    {
        if (damage == "remove")
        {
            Directory.Delete(path, recursive: true);
            return;
        }

        var bytes = File.ReadAllBytes(path);
        bytes[bytes.Length / 2] ^= 1;
        File.WriteAllBytes(path, damage == "flip" ? bytes : bytes[..(bytes.Length / 2)]);
    }
}
