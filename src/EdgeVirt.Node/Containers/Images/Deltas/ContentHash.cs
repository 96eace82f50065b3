using System.Buffers.Binary;
using System.Security.Cryptography;

namespace EdgeVirt.Node.Containers.Images.Deltas;

/// <summary>A SHA-256, without an object of its own: a layer has thousands.</summary>
internal readonly record struct ContentHash(UInt128 High, UInt128 Low)
{
    /// <summary>From <c>sha256:</c> and 64 digits; null: it is none.</summary>
    public static ContentHash? Parse(string? digest) => Digest.IsDigest(digest) ? From(Convert.FromHexString(Digest.Hex(digest!))) : null;

    public static ContentHash From(ReadOnlySpan<byte> hash) => new(BinaryPrimitives.ReadUInt128BigEndian(hash), BinaryPrimitives.ReadUInt128BigEndian(hash[16..]));

    /// <summary>Of what was hashed, which begins anew.</summary>
    public static ContentHash Of(IncrementalHash hash)
    {
        Span<byte> bytes = stackalloc byte[SHA256.HashSizeInBytes];
        hash.GetHashAndReset(bytes);
        return From(bytes);
    }
}
