using System.Buffers.Binary;
using System.IO.Hashing;
using System.Security.Cryptography;
using EdgeVirt.Linux;

namespace EdgeVirt.Node.State;

/// <summary>
/// The key under which this node keeps what is confidential: made at first start, in <c>identity/data.key</c> and a
/// copy beside it (each: "EVK1", 32 bytes, CRC-32), both mode 0600. AES-256-GCM.
/// </summary>
internal sealed class DataKey : IDisposable
{
    private const int KeyBytes = 32;
    private const int NonceBytes = 12;
    private const int TagBytes = 16;
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    private readonly AesGcm cipher;

    private DataKey(byte[] key)
    {
        cipher = new AesGcm(key, TagBytes);
    }

    /// <summary>How many bytes sealing adds.</summary>
    public const int Overhead = NonceBytes + TagBytes;

    private static ReadOnlySpan<byte> Magic => "EVK1"u8;

    /// <summary>Reads the key, from its copy if need be, or makes it where there is none or none is sound.</summary>
    public static DataKey OpenOrCreate(NodeOptions options, Quarantine quarantine)
    {
        Directory.CreateDirectory(options.IdentityDirectory, OwnerOnly | UnixFileMode.UserExecute);
        string[] paths = [Path.Combine(options.IdentityDirectory, "data.key"), Path.Combine(options.IdentityDirectory, "data.key.copy")];
        var keys = paths.Select(TryRead).ToArray();
        var key = keys[0] ?? keys[1];
        var isNew = key is null;
        key ??= RandomNumberGenerator.GetBytes(KeyBytes);
        for (var i = 0; i < paths.Length; i++)
        {
            if (keys[i] is { } sound && sound.AsSpan().SequenceEqual(key))
            {
                continue;
            }

            if (File.Exists(paths[i]))
            {
                quarantine.Take(paths[i], isNew ? "everything sealed under it is lost until the hub sends it again" : "nothing, it was restored from its twin");
            }

            DurableFile.Write(paths[i], Encode(key), OwnerOnly);
        }

        return new DataKey(key);
    }

    /// <summary>Encrypts. <paramref name="purpose"/> must be the same when opening.</summary>
    public byte[] Seal(ReadOnlySpan<byte> plain, ReadOnlySpan<byte> purpose)
    {
        var box = new byte[Overhead + plain.Length];
        RandomNumberGenerator.Fill(box.AsSpan(0, NonceBytes));
        cipher.Encrypt(box.AsSpan(0, NonceBytes), plain, box.AsSpan(Overhead), box.AsSpan(NonceBytes, TagBytes), purpose);
        return box;
    }

    /// <summary>Undoes <see cref="Seal"/>.</summary>
    /// <exception cref="CryptographicException">Damaged, or sealed under another key or for another purpose.</exception>
    public byte[] Open(ReadOnlySpan<byte> box, ReadOnlySpan<byte> purpose)
    {
        if (box.Length < Overhead)
        {
            throw new CryptographicException("Sealed data is cut short.");
        }

        var plain = new byte[box.Length - Overhead];
        cipher.Decrypt(box[..NonceBytes], box[Overhead..], box.Slice(NonceBytes, TagBytes), plain, purpose);
        return plain;
    }

    public void Dispose() => cipher.Dispose();

    private static byte[] Encode(byte[] key)
    {
        var file = new byte[Magic.Length + KeyBytes + sizeof(uint)];
        Magic.CopyTo(file);
        key.CopyTo(file, Magic.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(file.AsSpan(Magic.Length + KeyBytes), Crc32.HashToUInt32(key));
        return file;
    }

    private static byte[]? TryRead(string path)
    {
        try
        {
            var file = File.ReadAllBytes(path);
            if (file.Length != Magic.Length + KeyBytes + sizeof(uint) || !file.AsSpan().StartsWith(Magic))
            {
                return null;
            }

            var key = file.AsSpan(Magic.Length, KeyBytes);
            return BinaryPrimitives.ReadUInt32LittleEndian(file.AsSpan(Magic.Length + KeyBytes)) == Crc32.HashToUInt32(key) ? key.ToArray() : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
