using System.Net.Sockets;
using EdgeVirt.Contracts.Protos;
using Google.Protobuf;

namespace EdgeVirt.Node.Control;

/// <summary>Frames on a stream socket, each with its length before it as a varint.</summary>
internal sealed class SocketFrames(Stream stream) : IFrameStream
{
    private const int MostFrameBytes = 64 << 10;

    /// <exception cref="InvalidDataException">What came is no frame.</exception>
    public async Task<TunnelFrame?> ReadAsync(CancellationToken ct)
    {
        try
        {
            if (await ReadLengthAsync(ct) is not { } length)
            {
                return null;
            }

            var frame = new byte[length];
            await stream.ReadExactlyAsync(frame, ct);
            return TunnelFrame.Parser.ParseFrom(frame);
        }
        catch (InvalidProtocolBufferException e)
        {
            throw new InvalidDataException($"The frame cannot be read: {e.Message}", e);
        }
        catch (Exception e) when (e is EndOfStreamException or IOException { InnerException: SocketException })
        {
            return null;
        }
    }

    public async Task WriteAsync(TunnelFrame frame, CancellationToken ct)
    {
        using var bytes = new MemoryStream();
        frame.WriteDelimitedTo(bytes);
        await stream.WriteAsync(bytes.GetBuffer().AsMemory(0, (int)bytes.Length), ct);
    }

    private async Task<int?> ReadLengthAsync(CancellationToken ct)
    {
        var one = new byte[1];
        var length = 0;
        for (var shift = 0; shift < 28; shift += 7)
        {
            if (await stream.ReadAsync(one, ct) == 0)
            {
                return shift == 0 ? null : throw new EndOfStreamException();
            }

            length |= (one[0] & 0x7F) << shift;
            if ((one[0] & 0x80) == 0)
            {
                return length <= MostFrameBytes ? length : throw new InvalidDataException($"A frame of {length} bytes is too large; at most {MostFrameBytes} are taken.");
            }
        }

        throw new InvalidDataException("The length of a frame cannot be read.");
    }
}
