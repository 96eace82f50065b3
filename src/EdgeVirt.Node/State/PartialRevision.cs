using System.Buffers.Binary;
using System.IO.Hashing;
using System.Security.Cryptography;

namespace EdgeVirt.Node.State;

/// <summary>
/// A document on its way, kept on disk so that a download goes on where the link broke. <c>state/partial.bin</c>:
/// digest 32, CRC-32 of it, then chunks: length u32 and the chunk sealed under the data key for digest and offset.
/// </summary>
internal sealed class PartialRevision(NodeOptions options, Quarantine quarantine)
{
    private const int HeaderBytes = SHA256.HashSizeInBytes + sizeof(uint);
    private const int MostChunkBytes = 1 << 20;
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    private readonly string path = Path.Combine(options.StateDirectory, "partial.bin");

    /// <summary>What is here of a document; the digest is empty when nothing is. A damaged rest is cut off.</summary>
    public (byte[] Digest, byte[] Bytes) Read()
    {
        if (!File.Exists(path))
        {
            return ([], []);
        }

        var file = File.ReadAllBytes(path);
        if (file.Length < HeaderBytes
            || BinaryPrimitives.ReadUInt32LittleEndian(file.AsSpan(HeaderBytes - sizeof(uint))) != Crc32.HashToUInt32(file.AsSpan(0, SHA256.HashSizeInBytes)))
        {
            Clear();
            return ([], []);
        }

        using var key = DataKey.OpenOrCreate(options, quarantine);
        using var bytes = new MemoryStream();
        var digest = file[..SHA256.HashSizeInBytes];
        var at = HeaderBytes;
        while (TryReadChunk(file, at, digest, bytes.Length, key) is { } chunk)
        {
            bytes.Write(chunk);
            at += sizeof(uint) + DataKey.Overhead + chunk.Length;
        }

        if (at < file.Length)
        {
            using var rest = File.Open(path, FileMode.Open, FileAccess.Write);
            rest.SetLength(at);
        }

        return (digest, bytes.ToArray());
    }

    /// <summary>Appends a chunk; at offset 0 the file is begun anew.</summary>
    public void Append(ReadOnlySpan<byte> digest, long offset, ReadOnlySpan<byte> chunk)
    {
        Directory.CreateDirectory(options.StateDirectory, OwnerOnly | UnixFileMode.UserExecute);
        using var key = DataKey.OpenOrCreate(options, quarantine);
        using var file = new FileStream(path, new FileStreamOptions
        {
            Mode = offset == 0 ? FileMode.Create : FileMode.Append,
            Access = FileAccess.Write,
            UnixCreateMode = OwnerOnly,
        });
        Span<byte> number = stackalloc byte[sizeof(uint)];
        if (offset == 0)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(number, Crc32.HashToUInt32(digest));
            file.Write(digest);
            file.Write(number);
        }

        var box = key.Seal(chunk, Purpose(digest, offset));
        BinaryPrimitives.WriteUInt32LittleEndian(number, (uint)box.Length);
        file.Write(number);
        file.Write(box);
    }

    /// <summary>Forgets it.</summary>
    public void Clear() => File.Delete(path);

    private static byte[]? TryReadChunk(byte[] file, int at, byte[] digest, long offset, DataKey key)
    {
        if (file.Length - at < sizeof(uint))
        {
            return null;
        }

        var length = BinaryPrimitives.ReadUInt32LittleEndian(file.AsSpan(at));
        if (length > MostChunkBytes || length > file.Length - at - sizeof(uint))
        {
            return null;
        }

        try
        {
            return key.Open(file.AsSpan(at + sizeof(uint), (int)length), Purpose(digest, offset));
        }
        catch (CryptographicException)
        {
            return null;
        }
    }

    private static byte[] Purpose(ReadOnlySpan<byte> digest, long offset)
    {
        var purpose = new byte[digest.Length + sizeof(long)];
        digest.CopyTo(purpose);
        BinaryPrimitives.WriteInt64LittleEndian(purpose.AsSpan(digest.Length), offset);
        return purpose;
    }
}
