using System.Net.Http.Headers;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.Containers.Images;
using EdgeVirt.Node.Containers.Images.Registries;

namespace EdgeVirt.Node.Tests.Containers.Images;

/// <summary>Credentials from Secrets, and mirrors.</summary>
[Category("root")]
internal sealed class RegistryAccessTests
{
    private StoreFixture _fixture = null!;

    [SetUp]
    public void Open() => _fixture = new StoreFixture();

    [TearDown]
    public void Close() => _fixture.Dispose();

    [Test]
    public async Task Basic_credentials_of_a_Secret_let_in_and_wrong_ones_before_them_do_not_matter()
    {
        using var registry = await GuardedAsync();
        Use(registry.Port);
        Assert.That(() => EnsureAsync(PullTerms.None), Throws.TypeOf<ImagePullException>().With.Message.Contains("imagePullSecrets"));
        Assert.That(() => EnsureAsync(Terms(("node", "wrong"))), Throws.TypeOf<ImagePullException>().With.Message.Contains("imagePullSecrets").And.Message.Not.Contains("wrong"));
        Assert.That((await EnsureAsync(Terms(("node", "wrong"), ("node", "secret")))).LayerDirectories, Has.Count.EqualTo(2));
    }

    [Test]
    public async Task The_agents_own_configuration_is_tried_after_the_Secrets()
    {
        using var registry = await GuardedAsync();
        var password = Path.Combine(_fixture.Root, "password");
        File.WriteAllText(password, "secret\n");
        Use(registry.Port, user: "node", passwordFile: password);
        Assert.That((await EnsureAsync(Terms(("node", "wrong")))).LayerDirectories, Has.Count.EqualTo(2));
    }

    [Test]
    public async Task A_token_service_gets_the_Secrets_credentials()
    {
        await using var registry = new FakeRegistry { Token = "t1", TokenFor = "Basic " + DockerConfigTests.Base64("node:secret") };
        registry.Serve(Sample(), "app", "1");
        Use(registry.Port);
        Assert.That(() => EnsureAsync(Terms(("node", "wrong"))), Throws.TypeOf<ImagePullException>().With.Message.Contains("401"));
        Assert.That((await EnsureAsync(Terms(("node", "wrong"), ("node", "secret")))).LayerDirectories, Has.Count.EqualTo(2));
        Assert.That(registry.TokenQuery, Does.Contain("service=fake").And.Contains("scope=repository%3Aapp%3Apull"));
    }

    [Test]
    public async Task A_token_that_runs_out_during_a_pull_is_renewed()
    {
        await using var registry = new FakeRegistry { Token = "t1", TokenFor = "Basic " + DockerConfigTests.Base64("node:secret"), TokenUses = 2 };
        registry.Serve(Sample(), "app", "1");
        Use(registry.Port);
        Assert.That((await EnsureAsync(Terms(("node", "secret")))).LayerDirectories, Has.Count.EqualTo(2));
        Assert.That(registry.TokensGiven, Is.GreaterThanOrEqualTo(2));
    }

    [Test]
    public async Task An_identity_token_is_exchanged_for_an_access_token()
    {
        await using var registry = new FakeRegistry { Token = "t1" };
        registry.Serve(Sample(), "app", "1");
        Use(registry.Port);
        await EnsureAsync(new PullTerms { Keychain = new RegistryKeychain(DockerConfigTests.Read("""{"auths":{"registry.test":{"identitytoken":"refresh+me"}}}""")) });
        Assert.That(registry.TokenForm, Does.Contain("grant_type=refresh_token").And.Contains("refresh_token=refresh%2Bme").And.Contains("scope=repository%3Aapp%3Apull"));
    }

    [Test]
    public async Task A_mirror_is_asked_before_the_registry_and_the_registry_not_at_all()
    {
        using var mirror = await RegistryAsync("mirror");
        await mirror.PushAsync(Sample(), "app", "1");
        Use(DockerRegistry.FreePort(), mirrors: [mirror.Url]);
        Assert.That((await EnsureAsync(PullTerms.None)).LayerDirectories, Has.Count.EqualTo(2));
    }

    [Test]
    public async Task A_path_of_a_mirror_goes_before_the_repository()
    {
        using var mirror = await RegistryAsync("mirror");
        await mirror.PushAsync(Sample(), "cache/test/app", "1");
        Use(DockerRegistry.FreePort(), mirrors: [new Uri(mirror.Url, "/cache/test/")]);
        Assert.That((await EnsureAsync(PullTerms.None)).LayerDirectories, Has.Count.EqualTo(2));
    }

    [TestCase("away")]
    [TestCase("empty")]
    [TestCase("garbage manifest")]
    [TestCase("other layer")]
    [TestCase("no layer")]
    [TestCase("short layer")]
    public async Task A_mirror_that_fails_or_lies_is_passed_over_and_told_of_once(string how)
    {
        using var registry = await RegistryAsync("registry");
        var image = Sample();
        await registry.PushAsync(image, "app", "1");
        await using var mirror = new FakeRegistry();
        using var second = await RegistryAsync("second");
        if (how != "empty")
        {
            mirror.Serve(image, "app", "1");
        }

        var layer = $"/v2/app/blobs/{Digest.Of(image.Layers[0])}";
        switch (how)
        {
            case "garbage manifest": mirror.Answer("/v2/app/manifests/1", "<html>log in</html>"u8.ToArray()); break;
            case "other layer": mirror.Answer(layer, [.. image.Layers[0][..^1], (byte)(image.Layers[0][^1] ^ 1)]); break;
            case "no layer": mirror.Forget(layer); break;
            case "short layer": mirror.Answer(layer, image.Layers[0][..^9]); break;
        }

        var log = new LogCollector();
        var away = new Uri($"http://127.0.0.1:{DockerRegistry.FreePort()}");
        Use(registry.Port, mirrors: [how == "away" ? away : new Uri($"http://127.0.0.1:{mirror.Port}"), second.Url]);
        var stored = await EnsureAsync(PullTerms.None, log);

        Assert.That(stored.ManifestDigest, Is.EqualTo(Digest.Of(image.Manifest)));
        Assert.That(log.Lines.Where(line => line.Contains("passed over", StringComparison.Ordinal)), Has.Exactly(2).Items, string.Join('\n', log.Lines));
    }

    [Test]
    public async Task A_mirror_gets_the_credentials_of_its_own_host_and_not_those_of_the_registry()
    {
        await using var mirror = new FakeRegistry { Token = "t1", TokenFor = "Basic " + DockerConfigTests.Base64("mirror:m") };
        mirror.Serve(Sample(), "app", "1");
        Use(DockerRegistry.FreePort(), mirrors: [new Uri($"http://127.0.0.1:{mirror.Port}")]);
        await EnsureAsync(new PullTerms
        {
            Keychain = new RegistryKeychain(DockerConfigTests.Read(
                $$$$"""{"auths":{"registry.test":{"username":"origin","password":"o"},"127.0.0.1:{{{{mirror.Port}}}}":{"username":"mirror","password":"m"}}}""")),
        });
        Assert.That(mirror.TokenAuthorizations, Is.All.EqualTo("Basic " + DockerConfigTests.Base64("mirror:m")));
    }

    private static TestImage Sample() => RegistryPullTests.Sample(Packing.Gzip, 1000);

    private static PullTerms Terms(params (string User, string Password)[] logins) => new()
    {
        Keychain = new RegistryKeychain([.. logins.Select(login =>
            DockerConfigTests.Read($$$$"""{"auths":{"registry.test":{"auth":"{{{{DockerConfigTests.Base64($"{login.User}:{login.Password}")}}}}"}}}"""))]),
    };

    private async Task<DockerRegistry> RegistryAsync(string name)
    {
        var registry = new DockerRegistry(Directory.CreateDirectory(Path.Combine(_fixture.Root, name)).FullName);
        await registry.StartAsync();
        return registry;
    }

    private async Task<DockerRegistry> GuardedAsync()
    {
        var users = Path.Combine(_fixture.Root, "htpasswd");
        File.WriteAllText(users, $"node:{RegistryPullTests.HashOfSecret}\n");
        var registry = new DockerRegistry(_fixture.Root, $"auth: {{ htpasswd: {{ realm: test, path: {users} }} }}")
        {
            Authorization = new AuthenticationHeaderValue("Basic", DockerConfigTests.Base64("node:secret")),
        };
        await registry.StartAsync();
        await registry.PushAsync(Sample(), "app", "1");
        return registry;
    }

    private void Use(int port, string? user = null, string? passwordFile = null, IReadOnlyList<Uri>? mirrors = null) => _fixture.Options = _fixture.Options with
    {
        Registries = new Dictionary<string, RegistryAccess>
        {
            ["registry.test"] = new() { Url = new Uri($"http://127.0.0.1:{port}"), Username = user, PasswordFile = passwordFile, Mirrors = mirrors ?? [] },
        },
    };

    private async Task<StoredImage> EnsureAsync(PullTerms terms, LogCollector? log = null)
    {
        using var store = _fixture.Open(log: log);
        return await store.EnsureAsync(StoreFixture.Reference("registry.test/app:1"), ImagePullPolicy.IfNotPresent, terms, CancellationToken.None);
    }
}
