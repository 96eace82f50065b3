using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace EdgeVirt.Hub.Enrollment;

/// <summary>The server's certificate: kept while its names fit and it has a month to go, else issued anew.</summary>
internal sealed class ServerIdentity(CertificateAuthority authority, string directory, IReadOnlyList<string> names, TimeProvider time)
    : IDisposable
{
    private static readonly TimeSpan Validity = TimeSpan.FromDays(365);
    private static readonly TimeSpan RenewBefore = TimeSpan.FromDays(30);

    private readonly string keyFile = Path.Combine(directory, "server.key");
    private readonly string certificateFile = Path.Combine(directory, "server.crt");
    private readonly Lock gate = new();
    private volatile X509Certificate2? current;

    public X509Certificate2 Current()
    {
        if (current is { } fresh && HasTimeToGo(fresh))
        {
            return fresh;
        }

        lock (gate)
        {
            // A certificate that was replaced is not disposed here: handshakes may still be using it.
            if (current is null || !HasTimeToGo(current))
            {
                current = Decoded(TryLoad() ?? Make());
            }

            return current;
        }
    }

    public void Dispose() => current?.Dispose();

    private X509Certificate2? TryLoad()
    {
        try
        {
            var stored = Pem.Load(certificateFile, keyFile);
            if (HasTimeToGo(stored) && NamesOf(stored).SetEquals(WantedNames()) && NodeCertificate.IsIssuedBy(authority.Authority, stored))
            {
                return stored;
            }

            stored.Dispose();
        }
        catch (Exception e) when (e is CryptographicException or IOException or ArgumentException)
        {
            // Absent, or cut off while it was written: it costs nothing to make another.
        }

        return null;
    }

    private X509Certificate2 Make()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=EdgeVirt hub", key, HashAlgorithmName.SHA256);
        var builder = new SubjectAlternativeNameBuilder();
        foreach (var name in WantedNames().Order(StringComparer.Ordinal))
        {
            if (IPAddress.TryParse(name, out var address))
            {
                builder.AddIpAddress(address);
            }
            else
            {
                builder.AddDnsName(name);
            }
        }

        request.CertificateExtensions.Add(builder.Build());
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([Oids.ServerAuthentication], critical: false));
        using var certificate = authority.Issue(request, Validity);
        Pem.WriteKey(keyFile, key);
        Pem.WriteCertificate(certificateFile, certificate);
        return Pem.Load(certificateFile, keyFile);
    }

    // .NET decodes an extension when it is first read, and two handshakes that do so at once can find it without usages.
    private static X509Certificate2 Decoded(X509Certificate2 certificate)
    {
        foreach (var extension in certificate.Extensions.OfType<X509EnhancedKeyUsageExtension>())
        {
            _ = extension.EnhancedKeyUsages;
        }

        return certificate;
    }

    private bool HasTimeToGo(X509Certificate2 certificate) => time.GetUtcNow() + RenewBefore < certificate.NotAfter;

    private HashSet<string> WantedNames() =>
        new(names.Where(name => name.Length > 0).Select(Normal).Append("localhost").Append("127.0.0.1").Append("::1"), StringComparer.OrdinalIgnoreCase);

    private static HashSet<string> NamesOf(X509Certificate2 certificate)
    {
        var found = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        foreach (var extension in certificate.Extensions.OfType<X509SubjectAlternativeNameExtension>())
        {
            found.UnionWith(extension.EnumerateDnsNames());
            found.UnionWith(extension.EnumerateIPAddresses().Select(address => address.ToString()));
        }

        return found;
    }

    private static string Normal(string name) => IPAddress.TryParse(name, out var address) ? address.ToString() : name;
}
