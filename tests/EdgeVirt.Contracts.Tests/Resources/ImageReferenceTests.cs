using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Contracts.Tests.Resources;

public sealed class ImageReferenceTests
{
    private const string Digest = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

    [TestCase("registry.example.com/app", "registry.example.com", "app", "latest", null)]
    [TestCase("localhost:5000/a/b:1.2", "localhost:5000", "a/b", "1.2", null)]
    [TestCase("localhost/a", "localhost", "a", "latest", null)]
    [TestCase("hub:5000/a@" + Digest, "hub:5000", "a", null, Digest)]
    [TestCase("10.0.0.1:5000/a:x@" + Digest, "10.0.0.1:5000", "a", "x", Digest)]
    [TestCase("[fd00::1]:5000/a", "[fd00::1]:5000", "a", "latest", null)]
    [TestCase("oci:/var/images/web", null, "/var/images/web", "latest", null)]
    [TestCase("oci:/var/images/web:2", null, "/var/images/web", "2", null)]
    public void Reads(string text, string? registry, string repository, string? tag, string? digest)
    {
        Assert.That(ImageReference.TryParse(text, out var reference, out _), Is.True);
        Assert.That(reference, Is.EqualTo(new ImageReference { Registry = registry, Repository = repository, Tag = tag, Digest = digest }));
    }

    [TestCase("nginx", "names no registry")]
    [TestCase("library/nginx", "is no image reference")]
    [TestCase("localhost:5000/App", "is no image reference")]
    [TestCase("localhost:5000/a@sha256:12", "is no image reference")]
    [TestCase("oci:relative/path", "is no image reference")]
    [TestCase("oci:/var/../etc", "must not contain '..'")]
    [TestCase("host:5000/a:" + "b b", "is no image reference")]
    public void Says_what_is_wrong(string text, string problem)
    {
        Assert.That(ImageReference.TryParse(text, out _, out var found), Is.False);
        Assert.That(found, Does.Contain(problem));
    }
}
