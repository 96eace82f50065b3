using EdgeVirt.Contracts.Protos;
using Google.Protobuf;

namespace EdgeVirt.Cli.Local;

/// <summary>Tunnel frames on a byte stream, each with a varint length before it (tunnel.proto).</summary>
internal sealed class FrameStream(Stream stream)
{
    /// <summary>A data frame holds at most 32 KiB; the rest is room for what is around it.</summary>
    public const int MaxFrame = 64 * 1024;

    private readonly byte[] one = new byte[1];

    public async Task WriteAsync(TunnelFrame frame, CancellationToken ct)
    {
        using var buffer = new MemoryStream();
        frame.WriteDelimitedTo(buffer);
        await stream.WriteAsync(buffer.GetBuffer().AsMemory(0, (int)buffer.Length), ct);
        await stream.FlushAsync(ct);
    }

    /// <summary>The next frame; null at the end of the stream.</summary>
    /// <exception cref="InvalidDataException">What comes is no frame.</exception>
    public async Task<TunnelFrame?> ReadAsync(CancellationToken ct)
    {
        if (await ReadLengthAsync(ct) is not { } length)
        {
            return null;
        }

        if (length > MaxFrame)
        {
            throw new InvalidDataException($"a frame of {length} bytes");
        }

        var bytes = new byte[length];
        await stream.ReadExactlyAsync(bytes, ct);
        try
        {
            return TunnelFrame.Parser.ParseFrom(bytes);
        }
        catch (InvalidProtocolBufferException fault)
        {
            throw new InvalidDataException(fault.Message, fault);
        }
    }

    private async Task<uint?> ReadLengthAsync(CancellationToken ct)
    {
        uint length = 0;
        for (var shift = 0; shift < 35; shift += 7)
        {
            if (await stream.ReadAsync(one, ct) == 0)
            {
                return shift == 0 ? null : throw new InvalidDataException("the stream ends within a frame");
            }

            length |= (uint)(one[0] & 0x7f) << shift;
            if ((one[0] & 0x80) == 0)
            {
                return length;
            }
        }

        throw new InvalidDataException("a length of more than five bytes");
    }
}
