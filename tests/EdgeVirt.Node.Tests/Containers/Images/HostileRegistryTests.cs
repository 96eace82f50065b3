using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.Containers.Images;

namespace EdgeVirt.Node.Tests.Containers.Images;

[Category("root")]
internal sealed class HostileRegistryTests
{
    [TestCase("digest", ImageRefusedReason.DigestMismatch)]
    [TestCase("short", ImageRefusedReason.SizeMismatch)]
    [TestCase("long", ImageRefusedReason.SizeMismatch)]
    public async Task Refuses_a_layer_with_a_wrong(string what, ImageRefusedReason reason)
    {
        using var fixture = new StoreFixture();
        await using var registry = new FakeRegistry();
        var image = Sample();
        registry.Serve(image, "app", "1");
        var layer = image.Layers[0];
        byte[] served = what switch { "short" => layer[..^5], "long" => [.. layer, 1, 2, 3], _ => [.. layer[..^1], (byte)(layer[^1] ^ 1)] };
        registry.Answer($"/v2/app/blobs/{Digest.Of(layer)}", served);
        Assert.That(() => EnsureAsync(fixture, registry), Throws.TypeOf<ImageRefusedException>().With.Property("Reason").EqualTo(reason));
        Assert.That(fixture.Stored(), Is.Empty);
    }

    [Test]
    public async Task Refuses_another_config_than_the_manifest_names()
    {
        using var fixture = new StoreFixture();
        await using var registry = new FakeRegistry();
        var image = Sample();
        registry.Serve(image, "app", "1");
        registry.Answer($"/v2/app/blobs/{Digest.Of(image.Config)}", [.. image.Config[..^1], (byte)' ']);
        Assert.That(() => EnsureAsync(fixture, registry), Throws.TypeOf<ImageRefusedException>().With.Property("Reason").EqualTo(ImageRefusedReason.DigestMismatch));
        Assert.That(fixture.Stored(), Is.Empty);
    }

    [Test]
    public async Task Refuses_another_manifest_than_the_digest_names_and_one_that_is_too_large()
    {
        using var fixture = new StoreFixture();
        await using var registry = new FakeRegistry();
        var asked = "sha256:" + new string('1', 64);
        registry.Answer($"/v2/app/manifests/{asked}", Sample().Manifest);
        registry.Answer("/v2/app/manifests/1", new byte[ImageManifest.MaxDocumentBytes + 1]);
        Assert.That(() => EnsureAsync(fixture, registry, $"registry.test/app@{asked}"), Throws.TypeOf<ImageRefusedException>().With.Property("Reason").EqualTo(ImageRefusedReason.DigestMismatch));
        Assert.That(() => EnsureAsync(fixture, registry), Throws.TypeOf<ImageRefusedException>().With.Property("Reason").EqualTo(ImageRefusedReason.TooLarge));
    }

    [Test]
    public async Task Gets_a_token_and_tries_again_after_passing_failures()
    {
        using var fixture = new StoreFixture();
        await using var registry = new FakeRegistry { Token = "let-me-in", Failures = 2 };
        registry.Serve(Sample(), "app", "1");
        Assert.That(await EnsureAsync(fixture, registry), Is.Not.Null);
        Assert.That(Uri.UnescapeDataString(registry.TokenQuery!), Does.Contain("scope=repository:app:pull").And.Contain("service=fake"));
    }

    [Test]
    public async Task Gives_up_after_bounded_attempts()
    {
        using var fixture = new StoreFixture();
        await using var registry = new FakeRegistry { Failures = 1000 };
        Assert.That(() => EnsureAsync(fixture, registry), Throws.TypeOf<ImagePullException>().With.Message.Contains("503"));
        Assert.That(registry.Failures, Is.EqualTo(1000 - 3), "one attempt and two more");
    }

    private static TestImage Sample() => new(Packing.Gzip, new TarBuilder().File("a", new string('x', 3000)).ToArray());

    private static async Task<StoredImage> EnsureAsync(StoreFixture fixture, FakeRegistry registry, string reference = "registry.test/app:1")
    {
        fixture.Options = fixture.Options with
        {
            Registries = new Dictionary<string, RegistryAccess> { ["registry.test"] = new() { Url = new Uri($"http://127.0.0.1:{registry.Port}") } },
        };
        using var store = fixture.Open();
        return await store.EnsureAsync(StoreFixture.Reference(reference), ImagePullPolicy.IfNotPresent, CancellationToken.None);
    }
}
