using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace EdgeVirt.AotSmoke;

/// <summary>A certificate authority, a server and a client certificate, all EC P-256, for the checks that speak TLS.</summary>
internal sealed class Pki : IDisposable
{
    private readonly ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);

    public Pki()
    {
        var request = new CertificateRequest("CN=smoke authority", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, true, 0, true));
        Authority = request.CreateSelfSigned(Start, Start.AddYears(1));
        Server = Issue("localhost", "1.3.6.1.5.5.7.3.1");
        Client = Issue("smoke", "1.3.6.1.5.5.7.3.2");
    }

    public X509Certificate2 Authority { get; }

    public X509Certificate2 Server { get; }

    public X509Certificate2 Client { get; }

    private static DateTimeOffset Start => TimeProvider.System.GetUtcNow().AddHours(-1);

    public bool Trusts(X509Certificate? certificate)
    {
        using var chain = new X509Chain();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.CustomTrustStore.Add(Authority);
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        return certificate is X509Certificate2 leaf && chain.Build(leaf);
    }

    public void Dispose()
    {
        Authority.Dispose();
        Server.Dispose();
        Client.Dispose();
        key.Dispose();
    }

    private X509Certificate2 Issue(string name, string usage)
    {
        using var leafKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var asked = new CertificateRequest($"CN={name}", leafKey, HashAlgorithmName.SHA256).CreateSigningRequest();
        var request = CertificateRequest.LoadSigningRequest(asked, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid(usage)], false));
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName(name);
        names.AddIpAddress(IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        using var issued = request.Create(Authority, Start, Start.AddDays(30), RandomNumberGenerator.GetBytes(16));
        return issued.CopyWithPrivateKey(leafKey);
    }
}

internal static class PkiChecks
{
    public static Task CertifiesAsync()
    {
        using var pki = new Pki();
        using var other = new Pki();
        Check.That(pki.Trusts(pki.Client), "the chain of an issued certificate is good");
        Check.That(!other.Trusts(pki.Client), "another authority does not vouch for it");

        using var sealer = new AesGcm(RandomNumberGenerator.GetBytes(32), 16);
        var (nonce, tag, sealedBytes, opened) = (new byte[12], new byte[16], new byte[5], new byte[5]);
        sealer.Encrypt(nonce, "hello"u8, sealedBytes, tag);
        sealer.Decrypt(nonce, sealedBytes, tag, opened);
        Check.That("hello"u8.SequenceEqual(opened), "AES-GCM opens what it sealed");
        return Task.CompletedTask;
    }
}
