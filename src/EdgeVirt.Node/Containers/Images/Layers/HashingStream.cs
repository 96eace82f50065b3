using System.Security.Cryptography;

namespace EdgeVirt.Node.Containers.Images.Layers;

/// <summary>Hashes and counts what is read through it, and lets the reader object to the count.</summary>
/// <param name="inner">Disposed with it.</param>
/// <param name="check">Told the count after each read.</param>
/// <param name="isHashing">Off: it only counts, because somebody else hashes the same bytes.</param>
internal sealed class HashingStream(Stream inner, Action<long>? check = null, bool isHashing = true) : Stream
{
    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);

    public long Count { get; private set; }

    public string Digest => Images.Digest.FromHash(_hash.GetCurrentHash());

    public override bool CanRead => true;
    public override bool CanSeek => false;
    public override bool CanWrite => false;
    public override long Length => throw new NotSupportedException();
    public override long Position { get => Count; set => throw new NotSupportedException(); }

    public override int Read(Span<byte> buffer)
    {
        var read = inner.Read(buffer);
        if (isHashing)
        {
            _hash.AppendData(buffer[..read]);
        }

        Count += read;
        check?.Invoke(Count);
        return read;
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    /// <summary>Reads to the end, so that the digest is of all.</summary>
    public void Drain()
    {
        Span<byte> scrap = stackalloc byte[8192];
        while (Read(scrap) > 0)
        {
        }
    }

    public override void Flush() => throw new NotSupportedException();
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
    public override void SetLength(long value) => throw new NotSupportedException();
    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _hash.Dispose();
            inner.Dispose();
        }

        base.Dispose(disposing);
    }
}
