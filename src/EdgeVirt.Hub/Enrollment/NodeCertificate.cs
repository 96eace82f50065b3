using System.Formats.Asn1;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Hub.Enrollment;

/// <summary>What the hub reads in a node's client certificate.</summary>
internal static class NodeCertificate
{
    private const string UriPrefix = "edgevirt:node:";

    // OID 2.5.29.17, GeneralName choice 6: the framework reads DNS names and addresses out of it, but no URIs.
    private const int UriTag = 6;

    /// <summary>The subject alternative name that says which node it is.</summary>
    public static Uri UriOf(string node) => new(UriPrefix + node);

    /// <summary>SHA-256 of the key's SubjectPublicKeyInfo.</summary>
    public static byte[] KeyHash(PublicKey key) => SHA256.HashData(key.ExportSubjectPublicKeyInfo());

    /// <summary>The node's name, null unless common name and URI agree on one.</summary>
    public static string? NameOf(X509Certificate2 certificate)
    {
        var name = certificate.GetNameInfo(X509NameType.SimpleName, forIssuer: false);
        return ResourceName.IsValid(name) && UrisOf(certificate).SequenceEqual([UriPrefix + name]) ? name : null;
    }

    /// <summary>Whether the authority's key signed it, whatever it says about times and purposes.</summary>
    public static bool IsIssuedBy(X509Certificate2 authority, X509Certificate2 certificate)
    {
        using var chain = new X509Chain();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.CustomTrustStore.Add(authority);
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        chain.ChainPolicy.DisableCertificateDownloads = true;
        chain.ChainPolicy.VerificationTimeIgnored = false;
        chain.ChainPolicy.VerificationTime = certificate.NotBefore.AddSeconds(1);
        return chain.Build(certificate) && chain.ChainElements.Count == 2;
    }

    /// <summary>Whether it was issued to be shown by clients.</summary>
    public static bool IsForClients(X509Certificate2 certificate) =>
        certificate.Extensions.OfType<X509EnhancedKeyUsageExtension>()
            .Any(usage => usage.EnhancedKeyUsages[Oids.ClientAuthentication.Value!] is not null);

    private static List<string> UrisOf(X509Certificate2 certificate)
    {
        var uris = new List<string>();
        foreach (var extension in certificate.Extensions.OfType<X509SubjectAlternativeNameExtension>())
        {
            var names = new AsnReader(extension.RawData, AsnEncodingRules.DER).ReadSequence();
            while (names.HasData)
            {
                var tag = names.PeekTag();
                if (tag is { TagClass: TagClass.ContextSpecific, TagValue: UriTag })
                {
                    uris.Add(names.ReadCharacterString(UniversalTagNumber.IA5String, tag));
                }
                else
                {
                    names.ReadEncodedValue();
                }
            }
        }

        return uris;
    }
}
