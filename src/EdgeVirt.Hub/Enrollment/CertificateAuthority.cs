using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace EdgeVirt.Hub.Enrollment;

/// <summary>
/// The hub's own certificate authority: made at the first start, kept in <c>pki/ca.key</c> and <c>pki/ca.crt</c>,
/// and the source of the server's certificate and of every node's.
/// </summary>
internal sealed class CertificateAuthority : IDisposable
{
    private static readonly TimeSpan AuthorityValidity = TimeSpan.FromDays(20 * 365.25);

    // Certificates begin a little in the past, for boards whose clock is behind.
    private static readonly TimeSpan AuthorityBackdating = TimeSpan.FromDays(2);
    private static readonly TimeSpan Backdating = TimeSpan.FromHours(1);

    private readonly TimeProvider time;
    private readonly ServerIdentity server;

    private CertificateAuthority(X509Certificate2 authority, string directory, IReadOnlyList<string> names, TimeProvider time)
    {
        Authority = authority;
        this.time = time;
        server = new ServerIdentity(this, directory, names, time);
    }

    /// <summary>The authority's certificate with its key. It must not leave the process in this form.</summary>
    public X509Certificate2 Authority { get; }

    /// <summary>The authority's certificate as it may be shown to anyone.</summary>
    public byte[] AuthorityDer => Authority.RawData;

    /// <summary>SHA-256 of <see cref="AuthorityDer"/>, as claim tokens pin it.</summary>
    public byte[] Fingerprint => SHA256.HashData(Authority.RawData);

    /// <summary>
    /// The certificate for the hub's TLS ports, with key. Ask for it at each handshake: it is renewed 30 days
    /// before its end while the hub runs.
    /// </summary>
    public X509Certificate2 ServerCertificate => server.Current();

    /// <summary>
    /// Opens the authority in <paramref name="directory"/>, or makes it if the directory has none.
    /// <paramref name="names"/> are the DNS names and addresses by which nodes and people reach this hub;
    /// localhost and loopback are added.
    /// </summary>
    /// <exception cref="PkiException">What is there is damaged or incomplete; nothing was changed.</exception>
    public static CertificateAuthority Open(string directory, IReadOnlyList<string> names, TimeProvider time)
    {
        Directory.CreateDirectory(directory);
        var keyFile = Path.Combine(directory, "ca.key");
        var certificateFile = Path.Combine(directory, "ca.crt");

        // The key is written first, so a key alone is a first start that was cut off: nobody has seen that authority.
        if (!File.Exists(certificateFile))
        {
            Make(keyFile, certificateFile, time);
        }

        return new CertificateAuthority(Load(certificateFile, keyFile), directory, names, time);
    }

    /// <summary>Issues a client certificate for the key of a certificate request that was verified before.</summary>
    /// <returns>The certificate, DER.</returns>
    public byte[] IssueNodeCertificate(NodeCertificateRequest request, string node, TimeSpan validity)
    {
        var certificate = new CertificateRequest(new X500DistinguishedName($"CN={node}"), request.PublicKey, HashAlgorithmName.SHA256);
        certificate.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([Oids.ClientAuthentication], critical: true));
        var names = new SubjectAlternativeNameBuilder();
        names.AddUri(NodeCertificate.UriOf(node));
        certificate.CertificateExtensions.Add(names.Build());
        using var issued = Issue(certificate, validity);
        return issued.RawData;
    }

    internal X509Certificate2 Issue(CertificateRequest request, TimeSpan validity)
    {
        var now = time.GetUtcNow();
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(false, false, 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, critical: true));
        request.CertificateExtensions.Add(X509AuthorityKeyIdentifierExtension.CreateFromCertificate(Authority, true, false));
        var end = now + validity;
        return request.Create(Authority, now - Backdating, end < Authority.NotAfter ? end : Authority.NotAfter, SerialNumber());
    }

    public void Dispose()
    {
        server.Dispose();
        Authority.Dispose();
    }

    private static void Make(string keyFile, string certificateFile, TimeProvider time)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var mark = Convert.ToHexStringLower(SHA256.HashData(key.ExportSubjectPublicKeyInfo()).AsSpan(0, 4));
        var request = new CertificateRequest($"CN=EdgeVirt hub authority {mark}", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, true, 0, critical: true));
        request.CertificateExtensions.Add(
            new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign, critical: true));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, critical: false));
        var now = time.GetUtcNow();
        using var certificate = request.CreateSelfSigned(now - AuthorityBackdating, now + AuthorityValidity);
        Pem.WriteKey(keyFile, key);
        Pem.WriteCertificate(certificateFile, certificate);
    }

    private static X509Certificate2 Load(string certificateFile, string keyFile)
    {
        try
        {
            return Pem.Load(certificateFile, keyFile);
        }
        catch (Exception e) when (e is CryptographicException or IOException or ArgumentException)
        {
            throw new PkiException(
                $"The hub's authority in {certificateFile} and {keyFile} cannot be read: {e.Message} Restore both files from a backup. " +
                "(Deleting both makes a new authority, and then every node has to enroll again.)", e);
        }
    }

    private static byte[] SerialNumber()
    {
        var serial = RandomNumberGenerator.GetBytes(16);
        serial[0] = (byte)((serial[0] & 0x7F) | 0x01);
        return serial;
    }
}
