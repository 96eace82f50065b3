using System.Net.Sockets;
using System.Text.Json;

namespace EdgeVirt.Node.VirtualMachines.Qmp;

/// <summary>Cuts what a QEMU sends into messages: a JSON object a line. Holds one message at most.</summary>
internal sealed class QmpReader(Stream stream, int longest)
{
    private const int FirstSize = 4096;
    private const byte LineFeed = (byte)'\n';

    private byte[] buffer = new byte[Math.Min(FirstSize, longest)];
    private int begin;
    private int end;
    private int looked;

    /// <summary>The next message.</summary>
    /// <exception cref="QmpException">The other end hung up, or what came is no message.</exception>
    public async Task<JsonElement> ReadAsync(CancellationToken ct)
    {
        while (true)
        {
            var at = buffer.AsSpan(looked, end - looked).IndexOf(LineFeed);
            if (at >= 0)
            {
                var line = buffer.AsMemory(begin, looked + at - begin);
                looked = begin = looked + at + 1;
                // QEMU ends lines by CR LF.
                if (!line.Span.Trim("\r \t"u8).IsEmpty)
                {
                    return Parse(line);
                }

                continue;
            }

            looked = end;
            MakeRoom();
            int count;
            try
            {
                count = await stream.ReadAsync(buffer.AsMemory(end), ct);
            }
            catch (Exception e) when (e is SocketException or IOException)
            {
                throw new QmpException(QmpFault.Closed, $"the connection to QEMU broke: {e.Message}", e);
            }

            end += count > 0 ? count : throw new QmpException(QmpFault.Closed, "QEMU hung up: it ended or was ended");
        }
    }

    private static JsonElement Parse(ReadOnlyMemory<byte> line)
    {
        try
        {
            using var document = JsonDocument.Parse(line);
            return document.RootElement.ValueKind == JsonValueKind.Object
                ? document.RootElement.Clone()
                : throw new QmpException(QmpFault.Junk, $"QEMU sent a JSON {document.RootElement.ValueKind} where an object has to be");
        }
        catch (JsonException e)
        {
            throw new QmpException(QmpFault.Junk, $"QEMU sent {line.Length} bytes that are not JSON: {e.Message}", e);
        }
    }

    private void MakeRoom()
    {
        if (begin > 0)
        {
            buffer.AsSpan(begin, end - begin).CopyTo(buffer);
            (looked, end, begin) = (looked - begin, end - begin, 0);
        }

        if (end == buffer.Length)
        {
            if (buffer.Length >= longest)
            {
                throw new QmpException(QmpFault.Flooded, $"QEMU sent a message of more than {longest} bytes");
            }

            Array.Resize(ref buffer, Math.Min(buffer.Length * 2, longest));
        }
        else if (end == 0 && buffer.Length > FirstSize)
        {
            // After a long message a short buffer does again.
            buffer = new byte[FirstSize];
        }
    }
}
