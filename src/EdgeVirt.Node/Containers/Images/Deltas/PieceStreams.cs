using System.Security.Cryptography;
using Microsoft.Win32.SafeHandles;

namespace EdgeVirt.Node.Containers.Images.Deltas;

/// <summary>A piece out of a fetched frame: just so many bytes, and those of its hash.</summary>
internal sealed class ProvenPiece(Stream frames, ContentPiece piece) : ReadOnlyStream
{
    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private long _left = piece.Length;

    /// <exception cref="InvalidDataException">The frames hold something else.</exception>
    public override int Read(Span<byte> buffer)
    {
        if (_left == 0 || buffer.IsEmpty)
        {
            return 0;
        }

        var read = frames.Read(buffer[..(int)Math.Min(buffer.Length, _left)]);
        _hash.AppendData(buffer[..read]);
        _left -= read;
        return read == 0 || (_left == 0 && ContentHash.Of(_hash) != piece.Hash)
            ? throw new InvalidDataException("What was fetched of a file does not have the digest of the table of contents.")
            : read;
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _hash.Dispose();
            frames.Dispose();
        }

        base.Dispose(disposing);
    }
}

/// <summary>A piece of a file of this node. It was hashed when it was found; the layer's own digest proves it again.</summary>
internal sealed class LocalPiece(SafeFileHandle file, ContentPiece piece) : ReadOnlyStream
{
    private long _done;

    /// <exception cref="InvalidDataException">The file is shorter now.</exception>
    public override int Read(Span<byte> buffer)
    {
        if (_done == piece.Length || buffer.IsEmpty)
        {
            return 0;
        }

        var read = RandomAccess.Read(file, buffer[..(int)Math.Min(buffer.Length, piece.Length - _done)], piece.FileOffset + _done);
        _done += read;
        return read > 0 ? read : throw new InvalidDataException("A file of another layer has become shorter.");
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            file.Dispose();
        }

        base.Dispose(disposing);
    }
}

/// <summary>A hole.</summary>
internal sealed class ZeroPiece(long length) : ReadOnlyStream
{
    private long _left = length;

    public override int Read(Span<byte> buffer)
    {
        var count = (int)Math.Min(buffer.Length, _left);
        buffer[..count].Clear();
        _left -= count;
        return count;
    }
}
