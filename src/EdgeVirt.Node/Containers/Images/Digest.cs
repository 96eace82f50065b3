using System.Buffers;
using System.Security.Cryptography;

namespace EdgeVirt.Node.Containers.Images;

/// <summary><c>sha256:</c> and 64 hexadecimal digits.</summary>
internal static class Digest
{
    private const string Prefix = "sha256:";
    private static readonly SearchValues<char> s_hex = SearchValues.Create("0123456789abcdef");

    public static string Of(ReadOnlySpan<byte> content) => FromHash(SHA256.HashData(content));

    public static string FromHash(ReadOnlySpan<byte> hash) => Prefix + Convert.ToHexStringLower(hash);

    public static bool IsDigest(string? text) => text is { Length: 71 } && text.StartsWith(Prefix, StringComparison.Ordinal)
        && !text.AsSpan(Prefix.Length).ContainsAnyExcept(s_hex);

    /// <summary>The digits, fit for a file name. A digest from outside is checked first, so that no name escapes.</summary>
    public static string Hex(string digest) => IsDigest(digest)
        ? digest[Prefix.Length..]
        : throw new ImageRefusedException(ImageRefusedReason.InvalidManifest, $"'{Short(digest)}' is no sha256 digest.");

    private static string Short(string text) => text.Length > 80 ? text[..80] + "…" : text;
}
