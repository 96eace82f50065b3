using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace EdgeVirt.Node.Tests.Containers.Images;

/// <summary>An authority of the test's own and a server certificate of it, as PEM files in the test's directory.</summary>
internal sealed class TestAuthority
{
    public TestAuthority(string directory, IPAddress server)
    {
        var now = TimeProvider.System.GetUtcNow();
        var name = Guid.NewGuid().ToString("N")[..8];
        using var authorityKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var authority = new CertificateRequest($"CN=authority {name}", authorityKey, HashAlgorithmName.SHA256);
        authority.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        using var root = authority.CreateSelfSigned(now.AddDays(-1), now.AddDays(1));

        using var serverKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddIpAddress(server);
        var request = new CertificateRequest("CN=registry", serverKey, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(names.Build());
        using var certificate = request.Create(root, now.AddDays(-1), now.AddHours(12), [1, 2, 3]);

        Thumbprint = certificate.GetCertHashString();
        AuthorityFile = Path.Combine(directory, $"{name}-ca.crt");
        CertificateFile = Path.Combine(directory, $"{name}.crt");
        KeyFile = Path.Combine(directory, $"{name}.key");
        File.WriteAllText(AuthorityFile, root.ExportCertificatePem());
        File.WriteAllText(CertificateFile, certificate.ExportCertificatePem());
        File.WriteAllText(KeyFile, serverKey.ExportPkcs8PrivateKeyPem());
    }

    public string AuthorityFile { get; }

    public string CertificateFile { get; }

    public string KeyFile { get; }

    /// <summary>SHA-1 of the server's certificate, hexadecimal.</summary>
    public string Thumbprint { get; }
}
