using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace EdgeVirt.Hub.Enrollment;

/// <summary>A node's PKCS#10 request: proof that the sender holds the key. Of its contents only the key is used.</summary>
internal sealed class NodeCertificateRequest
{
    private const int MaxBytes = 4096;

    private NodeCertificateRequest(PublicKey publicKey) => PublicKey = publicKey;

    public PublicKey PublicKey { get; }

    /// <summary>SHA-256 of the key's SubjectPublicKeyInfo: what the hub knows a node by.</summary>
    public byte[] KeyHash() => NodeCertificate.KeyHash(PublicKey);

    /// <summary>Reads a request and verifies its signature; says in <paramref name="problem"/> why it is refused.</summary>
    public static NodeCertificateRequest? TryRead(ReadOnlySpan<byte> der, out string problem)
    {
        if (der.Length is 0 or > MaxBytes)
        {
            problem = $"the certificate request has {der.Length} bytes; 1 to {MaxBytes} are allowed";
            return null;
        }

        try
        {
            var request = CertificateRequest.LoadSigningRequest(der.ToArray(), HashAlgorithmName.SHA256);
            if (!IsP256(request.PublicKey))
            {
                problem = "the key of the certificate request is not EC P-256";
                return null;
            }

            problem = "";
            return new NodeCertificateRequest(request.PublicKey);
        }
        catch (Exception e) when (e is CryptographicException or NotSupportedException or ArgumentException)
        {
            problem = "the certificate request cannot be read, or its signature is wrong";
            return null;
        }
    }

    private static bool IsP256(PublicKey key)
    {
        if (key.Oid.Value != Oids.EcPublicKey)
        {
            return false;
        }

        using var ec = key.GetECDsaPublicKey();
        return ec is not null && ec.ExportParameters(false).Curve.Oid is { } curve && (curve.Value ?? Oid.FromFriendlyName(curve.FriendlyName!, OidGroup.PublicKeyAlgorithm).Value) == Oids.NistP256;
    }
}
