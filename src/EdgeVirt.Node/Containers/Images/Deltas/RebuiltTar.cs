using EdgeVirt.Node.Containers.Images.Layers;
using ZstdSharp;

namespace EdgeVirt.Node.Containers.Images.Deltas;

/// <summary>A layer's tar, put together part by part while it is read. Only the layer's unpacked digest proves it.</summary>
/// <param name="digest">Of the layer, for what goes wrong.</param>
/// <param name="parts">In order; each is disposed when it is read.</param>
internal sealed class RebuiltTar(string digest, IEnumerable<Stream> parts) : ReadOnlyStream
{
    private readonly IEnumerator<Stream> _parts = parts.GetEnumerator();
    private Stream? _part;

    /// <exception cref="DamagedBlobException">What was fetched or found is not what it seemed.</exception>
    public override int Read(Span<byte> buffer)
    {
        try
        {
            while (!buffer.IsEmpty)
            {
                if (_part is null && !_parts.MoveNext())
                {
                    return 0;
                }

                _part ??= _parts.Current;
                if (_part.Read(buffer) is var read and > 0)
                {
                    return read;
                }

                _part.Dispose();
                _part = null;
            }

            return 0;
        }
        catch (Exception wrong) when (wrong is InvalidDataException or ZstdException or IOException or NoDeltaException or System.Text.Json.JsonException)
        {
            throw new DamagedBlobException(digest, wrong) { IsRebuilt = true };
        }
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _part?.Dispose();
            _parts.Dispose();
        }

        base.Dispose(disposing);
    }
}
