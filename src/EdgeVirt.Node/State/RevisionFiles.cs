using System.Buffers.Binary;
using System.IO.Hashing;
using System.Security.Cryptography;
using System.Text.Json;
using EdgeVirt.Contracts;
using EdgeVirt.Linux;

namespace EdgeVirt.Node.State;

/// <summary>Which revision it is.</summary>
/// <param name="Sequence">Counts acceptances on this node; the newest is in force, whatever the revision's number.</param>
/// <param name="Digest">SHA-256 of the document.</param>
internal sealed record RevisionIdentity(ulong Sequence, ulong Revision, byte[] Digest);

/// <summary>A revision as it was accepted.</summary>
internal sealed record AcceptedRevision(ulong Sequence, ulong Revision, ReadOnlyMemory<byte> Bytes)
{
    /// <summary>SHA-256 of <see cref="Bytes"/>.</summary>
    public byte[] Digest { get; } = NodeDocument.DigestOf(Bytes.Span);

    /// <summary>Which one it is.</summary>
    public RevisionIdentity Identity => new(Sequence, Revision, Digest);
}

/// <summary>
/// The last two accepted revisions, as files of their own beside the database, so that a damaged database never costs
/// a node its workloads. File: "EVR1", sequence u64, revision u64, digest 32, length u32, the document sealed under
/// the data key for that header, CRC-32 of all before it; little-endian.
/// </summary>
internal sealed class RevisionFiles(NodeOptions options, DataKey key, Quarantine quarantine)
{
    private const int Keep = 2;
    private const int DigestAt = 4 + 8 + 8;
    private const int HeaderBytes = DigestAt + SHA256.HashSizeInBytes;
    private const int BodyAt = HeaderBytes + sizeof(uint);
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    private readonly string directory = Path.Combine(options.StateDirectory, "desired");

    private static ReadOnlySpan<byte> Magic => "EVR1"u8;

    /// <summary>Writes a revision durably, then drops all but the newest two.</summary>
    public void Write(AcceptedRevision accepted)
    {
        Directory.CreateDirectory(directory, OwnerOnly | UnixFileMode.UserExecute);
        DurableFile.Write(PathOf(accepted.Revision), Encode(accepted), OwnerOnly);
        foreach (var (path, _) in Headers().OrderByDescending(file => file.Sequence).Skip(Keep))
        {
            File.Delete(path);
        }
    }

    /// <summary>All sound revisions, newest first. Damaged files go to quarantine.</summary>
    public IReadOnlyList<AcceptedRevision> Read()
    {
        if (!Directory.Exists(directory))
        {
            return [];
        }

        List<AcceptedRevision> sound = [];
        foreach (var path in Directory.GetFiles(directory, "revision-*.bin"))
        {
            try
            {
                sound.Add(Decode(File.ReadAllBytes(path)));
            }
            catch (Exception e) when (e is InvalidDataException or CryptographicException or JsonException or IOException)
            {
                quarantine.Take(path, $"this copy of a desired revision ({e.Message})");
            }
        }

        return [.. sound.OrderByDescending(revision => revision.Sequence)];
    }

    private string PathOf(ulong revision) => Path.Combine(directory, $"revision-{revision}.bin");

    private byte[] Encode(AcceptedRevision accepted)
    {
        Span<byte> header = stackalloc byte[HeaderBytes];
        Magic.CopyTo(header);
        BinaryPrimitives.WriteUInt64LittleEndian(header[4..], accepted.Sequence);
        BinaryPrimitives.WriteUInt64LittleEndian(header[12..], accepted.Revision);
        accepted.Digest.CopyTo(header[DigestAt..]);
        var body = key.Seal(accepted.Bytes.Span, header);
        var file = new byte[BodyAt + body.Length + sizeof(uint)];
        header.CopyTo(file);
        BinaryPrimitives.WriteUInt32LittleEndian(file.AsSpan(HeaderBytes), (uint)body.Length);
        body.CopyTo(file, BodyAt);
        BinaryPrimitives.WriteUInt32LittleEndian(file.AsSpan(^sizeof(uint)), Crc32.HashToUInt32(file.AsSpan(..^sizeof(uint))));
        return file;
    }

    private AcceptedRevision Decode(byte[] file)
    {
        if (file.Length < BodyAt + sizeof(uint) || !file.AsSpan().StartsWith(Magic))
        {
            throw new InvalidDataException("no revision file");
        }

        var checksum = BinaryPrimitives.ReadUInt32LittleEndian(file.AsSpan(^sizeof(uint)));
        var length = BinaryPrimitives.ReadUInt32LittleEndian(file.AsSpan(HeaderBytes));
        if (length != file.Length - BodyAt - sizeof(uint) || checksum != Crc32.HashToUInt32(file.AsSpan(..^sizeof(uint))))
        {
            throw new InvalidDataException("cut short or altered");
        }

        var header = file.AsSpan(0, HeaderBytes);
        var bytes = key.Open(file.AsSpan(BodyAt, (int)length), header);
        var accepted = new AcceptedRevision(
            BinaryPrimitives.ReadUInt64LittleEndian(header[4..]), BinaryPrimitives.ReadUInt64LittleEndian(header[12..]), bytes);
        if (!header[DigestAt..].SequenceEqual(accepted.Digest))
        {
            throw new InvalidDataException("the digest does not match");
        }

        NodeDocument.FromBytes(bytes);
        return accepted;
    }

    private IEnumerable<(string Path, ulong Sequence)> Headers()
    {
        foreach (var path in Directory.GetFiles(directory, "revision-*.bin"))
        {
            var header = new byte[DigestAt];
            using var file = File.OpenRead(path);
            var read = file.ReadAtLeast(header, header.Length, throwOnEndOfStream: false);
            yield return (path, read == header.Length ? BinaryPrimitives.ReadUInt64LittleEndian(header.AsSpan(4)) : 0);
        }
    }
}
