using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using EdgeVirt.Hub.Enrollment;
using Microsoft.Extensions.Time.Testing;

namespace EdgeVirt.Hub.Tests.Enrollment;

[System.Runtime.Versioning.SupportedOSPlatform("linux")]
internal sealed class CertificateAuthorityTests
{
    private readonly FakeTimeProvider time = new(new DateTimeOffset(2026, 3, 1, 12, 0, 0, TimeSpan.Zero));
    private string directory = "";

    [SetUp]
    public void SetUp() => directory = Directory.CreateTempSubdirectory("pki-").FullName;

    [TearDown]
    public void TearDown() => Directory.Delete(directory, recursive: true);

    [Test]
    public void Is_made_once_and_reused()
    {
        using var first = CertificateAuthority.Open(directory, ["hub.example"], time);
        using var second = CertificateAuthority.Open(directory, ["hub.example"], time);

        Assert.That(second.AuthorityDer, Is.EqualTo(first.AuthorityDer));
        Assert.That(second.ServerCertificate.RawData, Is.EqualTo(first.ServerCertificate.RawData));
        Assert.That(first.Fingerprint, Is.EqualTo(SHA256.HashData(first.AuthorityDer)));
        Assert.That((first.Authority.NotAfter - time.GetUtcNow().UtcDateTime).TotalDays, Is.GreaterThan(19.9 * 365));
    }

    [Test]
    public async Task The_first_handshakes_at_once_all_find_a_server_certificate()
    {
        for (var start = 0; start < 200; start++)
        {
            using var authority = CertificateAuthority.Open(directory, [], time);
            var certificate = authority.ServerCertificate;
            using var together = new Barrier(4);
            var usages = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Factory.StartNew(
                () =>
                {
                    together.SignalAndWait();
                    return certificate.Extensions.OfType<X509EnhancedKeyUsageExtension>().Sum(extension => extension.EnhancedKeyUsages.Count);
                },
                CancellationToken.None,
                TaskCreationOptions.LongRunning,
                TaskScheduler.Default)));
            Assert.That(usages, Is.All.EqualTo(1), $"start {start}");
        }
    }

    [Test]
    public void Keeps_keys_to_itself()
    {
        using var authority = CertificateAuthority.Open(directory, [], time);
        _ = authority.ServerCertificate;

        const UnixFileMode ownerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        Assert.That(File.GetUnixFileMode(Path.Combine(directory, "ca.key")), Is.EqualTo(ownerOnly));
        Assert.That(File.GetUnixFileMode(Path.Combine(directory, "server.key")), Is.EqualTo(ownerOnly));
        Assert.That(Directory.GetFiles(directory, "*.tmp"), Is.Empty);
    }

    [Test]
    public void Starts_over_after_a_first_start_that_was_cut_off()
    {
        File.WriteAllText(Path.Combine(directory, "ca.key"), "half a k");

        using var authority = CertificateAuthority.Open(directory, [], time);

        Assert.That(authority.Authority.HasPrivateKey);
    }

    [Test]
    public void Refuses_to_go_on_without_its_key()
    {
        CertificateAuthority.Open(directory, [], time).Dispose();
        var before = File.ReadAllBytes(Path.Combine(directory, "ca.crt"));
        File.Delete(Path.Combine(directory, "ca.key"));

        Assert.That(() => CertificateAuthority.Open(directory, [], time), Throws.TypeOf<PkiException>().With.Message.Contains("backup"));
        Assert.That(File.ReadAllBytes(Path.Combine(directory, "ca.crt")), Is.EqualTo(before));
    }

    [Test]
    public void Refuses_a_key_of_another_authority()
    {
        CertificateAuthority.Open(directory, [], time).Dispose();
        using var other = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        File.WriteAllText(Path.Combine(directory, "ca.key"), other.ExportPkcs8PrivateKeyPem());

        Assert.That(() => CertificateAuthority.Open(directory, [], time), Throws.TypeOf<PkiException>());
    }

    [Test]
    public void Serves_under_the_advertised_names_and_loopback()
    {
        using var authority = CertificateAuthority.Open(directory, ["hub.example", "192.0.2.7", "2001:db8:0:0::1"], time);

        var certificate = authority.ServerCertificate;

        Assert.That(certificate.MatchesHostname("hub.example"));
        Assert.That(certificate.MatchesHostname("localhost"));
        Assert.That(certificate.MatchesHostname("192.0.2.7"));
        Assert.That(certificate.MatchesHostname("127.0.0.1"));
        Assert.That(certificate.MatchesHostname("::1"));
        Assert.That(certificate.MatchesHostname("2001:db8::1"));
        Assert.That(certificate.MatchesHostname("elsewhere.example"), Is.False);
        Assert.That(NodeCertificate.IsIssuedBy(authority.Authority, certificate));
    }

    [Test]
    public void Issues_another_server_certificate_when_names_change()
    {
        using var first = CertificateAuthority.Open(directory, ["hub.example"], time);
        var old = first.ServerCertificate.RawData;

        using var second = CertificateAuthority.Open(directory, ["other.example"], time);

        Assert.That(second.ServerCertificate.RawData, Is.Not.EqualTo(old));
        Assert.That(second.ServerCertificate.MatchesHostname("other.example"));
    }

    [Test]
    public void Renews_the_server_certificate_in_its_last_month_while_it_runs()
    {
        using var authority = CertificateAuthority.Open(directory, [], time);
        var old = authority.ServerCertificate.RawData;

        time.Advance(TimeSpan.FromDays(334));
        Assert.That(authority.ServerCertificate.RawData, Is.EqualTo(old));

        time.Advance(TimeSpan.FromDays(2));
        Assert.That(authority.ServerCertificate.RawData, Is.Not.EqualTo(old));
    }

    [Test]
    public void Makes_a_server_certificate_anew_when_its_files_are_damaged()
    {
        using (var authority = CertificateAuthority.Open(directory, [], time))
        {
            _ = authority.ServerCertificate;
        }

        File.WriteAllText(Path.Combine(directory, "server.crt"), "-----BEGIN CERTIFICATE-----\nMII");
        using var again = CertificateAuthority.Open(directory, [], time);

        Assert.That(again.ServerCertificate.HasPrivateKey);
    }

    [Test]
    public void Issues_node_certificates_for_the_key_of_the_request_and_nothing_else_in_it()
    {
        using var authority = CertificateAuthority.Open(directory, [], time);
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var sent = new CertificateRequest("CN=somebody-else", key, HashAlgorithmName.SHA256);
        sent.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        var request = NodeCertificateRequest.TryRead(sent.CreateSigningRequest(), out _)!;

        using var issued = X509CertificateLoader.LoadCertificate(authority.IssueNodeCertificate(request, "node-a", TimeSpan.FromDays(30)));

        Assert.That(NodeCertificate.NameOf(issued), Is.EqualTo("node-a"));
        Assert.That(NodeCertificate.KeyHash(issued.PublicKey), Is.EqualTo(SHA256.HashData(key.ExportSubjectPublicKeyInfo())));
        Assert.That(NodeCertificate.IsIssuedBy(authority.Authority, issued));
        Assert.That(NodeCertificate.IsForClients(issued));
        Assert.That(NodeCertificate.IsForClients(authority.ServerCertificate), Is.False);
        Assert.That(issued.Extensions.OfType<X509BasicConstraintsExtension>().Single().CertificateAuthority, Is.False);
        Assert.That(new DateTimeOffset(issued.NotAfter), Is.EqualTo(time.GetUtcNow().AddDays(30)));
    }

    [Test]
    public void Refuses_requests_that_prove_nothing()
    {
        using var p256 = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var p384 = ECDsa.Create(ECCurve.NamedCurves.nistP384);
        using var rsa = RSA.Create(2048);
        var good = new CertificateRequest("CN=x", p256, HashAlgorithmName.SHA256).CreateSigningRequest();
        var tampered = good.ToArray();
        tampered[^1] ^= 1;
        var byRsa = new CertificateRequest("CN=x", rsa, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1).CreateSigningRequest();

        Assert.That(NodeCertificateRequest.TryRead(good, out _), Is.Not.Null);
        Assert.That(NodeCertificateRequest.TryRead(tampered, out _), Is.Null);
        Assert.That(NodeCertificateRequest.TryRead(good.AsSpan(0, 40), out _), Is.Null);
        Assert.That(NodeCertificateRequest.TryRead([.. good, 0], out _), Is.Null);
        Assert.That(NodeCertificateRequest.TryRead([], out _), Is.Null);
        Assert.That(NodeCertificateRequest.TryRead(new byte[100_000], out _), Is.Null);
        Assert.That(NodeCertificateRequest.TryRead(new CertificateRequest("CN=x", p384, HashAlgorithmName.SHA256).CreateSigningRequest(), out _), Is.Null);
        Assert.That(NodeCertificateRequest.TryRead(byRsa, out _), Is.Null);
    }
}
