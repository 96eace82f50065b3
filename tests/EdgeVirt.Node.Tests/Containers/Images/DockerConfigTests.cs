using System.Text;
using EdgeVirt.Node.Containers.Images.Registries;

namespace EdgeVirt.Node.Tests.Containers.Images;

internal sealed class DockerConfigTests
{
    [TestCase("registry.test:5000", "registry.test:5000", "app", true)]
    [TestCase("registry.test", "registry.test:5000", "app", false)]
    [TestCase("https://registry.test:5000", "registry.test:5000", "app", true)]
    [TestCase("https://registry.test:5000/v2/", "registry.test:5000", "app", true)]
    [TestCase("https://index.docker.io/v1/", "docker.io", "library/nginx", true)]
    [TestCase("*.test:5000", "registry.test:5000", "app", true)]
    [TestCase("*.test:5000", "a.b.test:5000", "app", false)]
    [TestCase("reg*.test", "registry.test", "app", true)]
    [TestCase("registry.test/team", "registry.test", "team/app", true)]
    [TestCase("registry.test/team", "registry.test", "teams/app", false)]
    public void Matches_registries_as_Kubernetes_does(string entry, string host, string repository, bool matches) =>
        Assert.That(Read($$$$"""{"auths":{"{{{{entry}}}}":{"username":"u","password":"p"}}}""").For(host, repository).Any(), Is.EqualTo(matches));

    [Test]
    public void The_most_exact_entry_comes_first()
    {
        var config = Read("""
            {"auths":{"*.test":{"username":"glob","password":"p"},"registry.test":{"username":"host","password":"p"},"registry.test/team":{"username":"path","password":"p"}}}
            """);
        Assert.That(config.For("registry.test", "team/app").Select(credential => credential.Username), Is.EqualTo(new[] { "path", "host", "glob" }));
    }

    [Test]
    public void Auth_is_user_and_password_where_only_the_first_colon_parts()
    {
        var credential = Read($$$$"""{"auths":{"r.test":{"auth":"{{{{Base64("node:a:b")}}}}"}}}""").For("r.test", "x").Single();
        Assert.That((credential.Username, credential.Password), Is.EqualTo(("node", "a:b")));
    }

    [TestCase("nonsense-hunter2", "docker login")]
    [TestCase("""{"hunter2":1}""", "'auths'")]
    [TestCase("""{"auths":{"r.test":{"auth":"%%hunter2%%"}}}""", "'r.test'")]
    [TestCase("""{"auths":{"r.test":{"username":"hunter2"}}}""", "'r.test'")]
    public void Says_what_is_wrong_without_a_word_of_what_is_secret(string json, string says)
    {
        Assert.That(DockerConfig.TryRead(Encoding.UTF8.GetBytes(json), out _, out var problem), Is.False);
        Assert.That(problem, Does.Contain(says).And.Not.Contains("hunter2"));
    }

    [Test]
    public void A_credential_never_prints_what_it_holds() =>
        Assert.That(new RegistryCredential { Username = "u", Password = "hunter2" }.ToString(), Does.Not.Contain("hunter2"));

    internal static DockerConfig Read(string json) =>
        DockerConfig.TryRead(Encoding.UTF8.GetBytes(json), out var config, out var problem) ? config : throw new ArgumentException(problem);

    internal static string Base64(string text) => Convert.ToBase64String(Encoding.UTF8.GetBytes(text));
}
