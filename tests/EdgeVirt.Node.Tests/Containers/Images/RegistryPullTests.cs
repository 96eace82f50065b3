using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.Containers.Images;
using EdgeVirt.Node.Containers.Images.Layers;

namespace EdgeVirt.Node.Tests.Containers.Images;

/// <summary>Against Debian's docker-registry.</summary>
[Category("root")]
internal sealed class RegistryPullTests
{
    // bcrypt of "secret", cost 4: written down, because Debian 13's Python makes none any more.
    internal const string HashOfSecret = "$2y$04$KINb45yI61gEVyE9NHVRIuZj47UZkugRB5DtwyeSAKf2BbQwZriNu";

    private const string Index = "application/vnd.oci.image.index.v1+json";

    private StoreFixture _fixture = null!;
    private DockerRegistry _registry = null!;

    [SetUp]
    public async Task StartAsync()
    {
        _fixture = new StoreFixture();
        _registry = new DockerRegistry(_fixture.Root);
        Use(_registry.Port);
        await _registry.StartAsync();
    }

    [TearDown]
    public void Stop()
    {
        _registry.Dispose();
        _fixture.Dispose();
    }

    [TestCase(Packing.None)]
    [TestCase(Packing.Gzip)]
    [TestCase(Packing.Zstd)]
    public async Task Pulls_by_tag_and_keeps_no_compressed_layer(Packing packing)
    {
        var image = Sample(packing, 1000);
        await _registry.PushAsync(image, "apps/web", "1.0");

        var stored = await EnsureAsync("registry.test/apps/web:1.0");

        Assert.That(stored.ManifestDigest, Is.EqualTo(Digest.Of(image.Manifest)));
        Assert.That(stored.LayerDirectories.Select(Path.GetFileName), Is.EqualTo(ChainId.Of(image.DiffIds).Select(Digest.Hex)));
        Assert.That(File.ReadAllText(Path.Combine(stored.LayerDirectories[1], "etc", "name")), Is.EqualTo("upper"));
        Assert.That(stored.Config.Entrypoint, Is.EqualTo(new[] { "/bin/app" }));
        Assert.That(stored.Config, Has.Property("User").EqualTo("33:33").And.Property("WorkingDir").EqualTo("/srv").And.Property("StopSignal").EqualTo("SIGQUIT"));
        Assert.That(Directory.GetFiles(_fixture.Blobs), Has.Length.EqualTo(2), "manifest and config");
    }

    [Test]
    public async Task Pulls_what_skopeo_copied_from_an_umoci_layout()
    {
        Sample(Packing.Gzip, 10).WriteLayout(_fixture.Layout);
        await StoreFixture.RunAsync("skopeo", "copy", "--dest-tls-verify=false", "--insecure-policy", $"oci:{_fixture.Layout}:v1", $"docker://127.0.0.1:{_registry.Port}/copied:v1");
        var stored = await EnsureAsync("registry.test/copied:v1");
        Assert.That(stored.LayerDirectories, Has.Count.EqualTo(2));
    }

    [Test]
    public async Task Chooses_the_nodes_platform_from_an_index_also_by_digest()
    {
        var ours = Sample(Packing.Gzip, 10);
        var other = Sample(Packing.Gzip, 20);
        other.Architecture = "riscv64";
        await _registry.PushAsync(ours, "multi", "ours");
        await _registry.PushAsync(other, "multi", "other");
        var index = Encoding.UTF8.GetBytes(new JsonObject
        {
            ["schemaVersion"] = 2,
            ["mediaType"] = Index,
            ["manifests"] = new JsonArray(Entry(other, "riscv64"), Entry(ours, ImagePlatform.OfThisNode.Architecture)),
        }.ToJsonString());
        await _registry.PushManifestAsync("multi", "all", index, Index);

        Assert.That((await EnsureAsync("registry.test/multi:all")).ManifestDigest, Is.EqualTo(Digest.Of(ours.Manifest)));
        Assert.That((await EnsureAsync($"registry.test/multi@{Digest.Of(index)}")).ManifestDigest, Is.EqualTo(Digest.Of(ours.Manifest)));
        Assert.That(() => EnsureAsync("registry.test/multi:other"),
            Throws.TypeOf<ImageRefusedException>().With.Property("Reason").EqualTo(ImageRefusedReason.WrongPlatform));
    }

    [Test]
    public async Task Resumes_a_cut_download_from_the_byte_it_reached()
    {
        var image = Sample(Packing.None, 2_000_000);
        await _registry.PushAsync(image, "big", "1");
        await using var proxy = new CuttingProxy(_registry.Port, cutAfter: 300_000);
        Use(proxy.Port);

        await EnsureAsync("registry.test/big:1");

        Assert.That(proxy.Cuts, Is.GreaterThanOrEqualTo(6));
        Assert.That(proxy.Requests, Has.Some.Match(@"Range: bytes=[1-9][0-9]{4,}-"));
        Assert.That(proxy.BytesReturned, Is.LessThan(2_300_000), "nothing is fetched twice");
    }

    [Test]
    public async Task Goes_on_with_a_partial_file_after_a_restart_and_survives_its_damage()
    {
        var image = Sample(Packing.None, 500_000);
        await _registry.PushAsync(image, "big", "1");
        using (_fixture.Open())
        {
            // The directories of the store.
        }

        var partial = Path.Combine(_fixture.Options.ImagesDirectory, "partial", Digest.Hex(Digest.Of(image.Layers[0])));
        File.WriteAllBytes(partial, new byte[200_000]);
        await EnsureAsync("registry.test/big:1");
        Assert.That(File.Exists(partial), Is.False);
    }

    [Test]
    public async Task Uses_the_image_at_hand_while_the_registry_is_away()
    {
        await _registry.PushAsync(Sample(Packing.Gzip, 10), "app", "1");
        var first = await EnsureAsync("registry.test/app:1");
        _registry.Stop();

        Assert.That((await EnsureAsync("registry.test/app:1")).ManifestDigest, Is.EqualTo(first.ManifestDigest));
        Assert.That((await EnsureAsync("registry.test/app:1", ImagePullPolicy.Always)).ManifestDigest, Is.EqualTo(first.ManifestDigest));
        Assert.That((await EnsureAsync("registry.test/app:1", ImagePullPolicy.Never)).ManifestDigest, Is.EqualTo(first.ManifestDigest));
        Assert.That(() => EnsureAsync("registry.test/app:2"), Throws.TypeOf<ImagePullException>().With.Message.Contains("does not answer"));
        Assert.That(() => EnsureAsync("registry.test/app:2", ImagePullPolicy.Never), Throws.TypeOf<ImagePullException>().With.Message.Contains("Never"));
    }

    [Test]
    public async Task Follows_a_moved_tag_only_with_Always_and_shares_layers()
    {
        var old = Sample(Packing.Gzip, 10);
        await _registry.PushAsync(old, "app", "1");
        var first = await EnsureAsync("registry.test/app:1");
        var moved = Sample(Packing.Gzip, 10, upper: "moved");
        await _registry.PushAsync(moved, "app", "1");

        Assert.That((await EnsureAsync("registry.test/app:1")).ManifestDigest, Is.EqualTo(first.ManifestDigest));
        var second = await EnsureAsync("registry.test/app:1", ImagePullPolicy.Always);
        Assert.That(second.ManifestDigest, Is.EqualTo(Digest.Of(moved.Manifest)));
        Assert.That(second.LayerDirectories[0], Is.EqualTo(first.LayerDirectories[0]));
    }

    [Test]
    public async Task Says_what_to_do_when_the_image_is_not_there()
    {
        await Task.CompletedTask;
        Assert.That(() => EnsureAsync("registry.test/none:1"), Throws.TypeOf<ImagePullException>().With.Message.Contains("push the image"));
    }

    [Test]
    public async Task Gives_basic_credentials_where_the_registry_asks()
    {
        var users = Path.Combine(_fixture.Root, "htpasswd");
        File.WriteAllText(users, "node:" + HashOfSecret + "\n");
        using var guarded = new DockerRegistry(Directory.CreateDirectory(Path.Combine(_fixture.Root, "guarded")).FullName,
            $"auth: {{ htpasswd: {{ realm: test, path: {users} }} }}")
        { Authorization = new AuthenticationHeaderValue("Basic", Convert.ToBase64String("node:secret"u8)) };
        await guarded.StartAsync();
        await guarded.PushAsync(Sample(Packing.Gzip, 10), "app", "1");

        Use(guarded.Port);
        Assert.That(() => EnsureAsync("registry.test/app:1"), Throws.TypeOf<ImagePullException>().With.Message.Contains("passwordFile"));
        var password = Path.Combine(_fixture.Root, "password");
        File.WriteAllText(password, "secret\n");
        Use(guarded.Port, "node", password);
        Assert.That(await EnsureAsync("registry.test/app:1"), Is.Not.Null);
    }

    internal static TestImage Sample(Packing packing, int size, string upper = "upper")
    {
        var noise = new byte[size];
        new Random(1).NextBytes(noise);
        return new TestImage(packing,
            new TarBuilder().Directory("etc").File("etc/name", "lower").Add('0', "noise", noise).ToArray(),
            new TarBuilder().Directory("etc").File("etc/name", upper).ToArray());
    }

    private static JsonObject Entry(TestImage image, string architecture)
    {
        var entry = TestImage.Describe(image.Manifest, "application/vnd.oci.image.manifest.v1+json");
        entry["platform"] = new JsonObject { ["os"] = "linux", ["architecture"] = architecture };
        return entry;
    }

    private void Use(int port, string? user = null, string? passwordFile = null) => _fixture.Options = _fixture.Options with
    {
        Registries = new Dictionary<string, RegistryAccess>
        {
            ["registry.test"] = new() { Url = new Uri($"http://127.0.0.1:{port}"), Username = user, PasswordFile = passwordFile },
        },
    };

    private async Task<StoredImage> EnsureAsync(string reference, ImagePullPolicy policy = ImagePullPolicy.IfNotPresent)
    {
        using var store = _fixture.Open();
        return await store.EnsureAsync(StoreFixture.Reference(reference), policy, CancellationToken.None);
    }
}
