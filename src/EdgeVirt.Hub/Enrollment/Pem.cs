using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace EdgeVirt.Hub.Enrollment;

/// <summary>Keys (PKCS#8, mode 0600) and certificates as PEM files.</summary>
internal static class Pem
{
    public static void WriteKey(string path, ECDsa key) =>
        DurableFile.Write(path, Encoding.ASCII.GetBytes(key.ExportPkcs8PrivateKeyPem() + "\n"), DurableFile.Private);

    public static void WriteCertificate(string path, X509Certificate2 certificate) =>
        DurableFile.Write(path, Encoding.ASCII.GetBytes(certificate.ExportCertificatePem() + "\n"), DurableFile.Public);

    /// <exception cref="CryptographicException">One of them cannot be read, or they do not belong together.</exception>
    public static X509Certificate2 Load(string certificateFile, string keyFile)
    {
        using var key = ECDsa.Create();
        key.ImportFromPem(File.ReadAllText(keyFile));
        using var certificate = X509Certificate2.CreateFromPem(File.ReadAllText(certificateFile));
        using var certified = certificate.GetECDsaPublicKey() ?? throw new CryptographicException("The certificate has no EC key.");
        if (!certified.ExportSubjectPublicKeyInfo().AsSpan().SequenceEqual(key.ExportSubjectPublicKeyInfo()))
        {
            throw new CryptographicException("Certificate and key do not belong together.");
        }

        return certificate.CopyWithPrivateKey(key);
    }
}
