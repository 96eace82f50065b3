using System.Security.Cryptography;

namespace EdgeVirt.Hub.Enrollment;

internal static class Oids
{
    public const string EcPublicKey = "1.2.840.10045.2.1";
    public const string NistP256 = "1.2.840.10045.3.1.7";

    public static Oid ClientAuthentication => new("1.3.6.1.5.5.7.3.2");

    public static Oid ServerAuthentication => new("1.3.6.1.5.5.7.3.1");
}
