using System.Net;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.Containers.Images;

namespace EdgeVirt.Node.Tests.Containers.Images;

/// <summary>By https, against Debian's docker-registry with a certificate of an authority of the test's own.</summary>
[Category("root")]
internal sealed class RegistryTrustTests
{
    private StoreFixture _fixture = null!;

    [SetUp]
    public void Open() => _fixture = new StoreFixture();

    [TearDown]
    public void Close() => _fixture.Dispose();

    [Test]
    public async Task The_authority_of_caFile_is_trusted()
    {
        var authority = new TestAuthority(_fixture.Root, IPAddress.Loopback);
        using var registry = await StartAsync(authority);
        Assert.That((await EnsureAsync(registry, authority.AuthorityFile)).LayerDirectories, Has.Count.EqualTo(2));
    }

    [Test]
    public async Task Without_caFile_only_the_systems_authorities_are_trusted()
    {
        using var registry = await StartAsync(new TestAuthority(_fixture.Root, IPAddress.Loopback));
        Assert.That(() => EnsureAsync(registry, null), Throws.InstanceOf<ImagePullException>().With.Message.Contains("caFile"));
        Assert.That(_fixture.Stored(), Is.Empty);
    }

    [Test]
    public async Task Another_authority_is_not_trusted()
    {
        using var registry = await StartAsync(new TestAuthority(_fixture.Root, IPAddress.Loopback));
        var other = new TestAuthority(_fixture.Root, IPAddress.Loopback);
        Assert.That(() => EnsureAsync(registry, other.AuthorityFile), Throws.InstanceOf<ImagePullException>().With.Message.Contains("no certificate that is trusted"));
    }

    [Test]
    public async Task A_certificate_for_another_address_is_not_trusted()
    {
        var authority = new TestAuthority(_fixture.Root, IPAddress.Parse("192.0.2.1"));
        using var registry = await StartAsync(authority);
        Assert.That(() => EnsureAsync(registry, authority.AuthorityFile), Throws.InstanceOf<ImagePullException>());
    }

    [Test]
    public async Task A_caFile_that_cannot_be_read_is_named()
    {
        using var registry = await StartAsync(new TestAuthority(_fixture.Root, IPAddress.Loopback));
        Assert.That(() => EnsureAsync(registry, "/nowhere/ca.crt"), Throws.InstanceOf<ImagePullException>().With.Message.Contains("/nowhere/ca.crt"));
    }

    private async Task<DockerRegistry> StartAsync(TestAuthority authority)
    {
        var registry = new DockerRegistry(_fixture.Root, tls: authority);
        await registry.StartAsync();
        await registry.PushAsync(RegistryPullTests.Sample(Packing.Gzip, 10), "app", "1");
        return registry;
    }

    private Task<StoredImage> EnsureAsync(DockerRegistry registry, string? caFile)
    {
        _fixture.Options = _fixture.Options with
        {
            Registries = new Dictionary<string, RegistryAccess> { ["registry.test"] = new() { Url = registry.Url, CaFile = caFile } },
        };
        return _fixture.Open().EnsureAsync(StoreFixture.Reference("registry.test/app:1"), ImagePullPolicy.IfNotPresent, CancellationToken.None);
    }
}
