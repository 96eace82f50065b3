namespace EdgeVirt.Node.Containers.Images.Deltas;

/// <summary>Bytes of a range that was fetched.</summary>
internal sealed class SpooledRange(RangeSpool spool, ByteRange range) : ReadOnlyStream
{
    private long _at = range.Start;

    /// <exception cref="InvalidDataException">Some of it is not here.</exception>
    public override int Read(Span<byte> buffer)
    {
        if (_at >= range.End || buffer.IsEmpty)
        {
            return 0;
        }

        var read = spool.Read(_at, buffer[..(int)Math.Min(buffer.Length, range.End - _at)]);
        _at += read;
        return read > 0 ? read : throw new InvalidDataException($"Byte {_at} of the layer was not fetched.");
    }
}
