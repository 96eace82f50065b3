using System.Net.WebSockets;
using EdgeVirt.Contracts.Protos;
using Google.Protobuf;

namespace EdgeVirt.Hub.Tunnels;

/// <summary>Tunnel frames on a WebSocket, a frame per binary message. One reader; several may write.</summary>
internal sealed class WebSocketFrames(WebSocket socket) : IDisposable
{
    /// <summary>A data frame holds at most 32 KiB; the rest is room for what is around it, and for a command line.</summary>
    private const int MostBytes = 256 << 10;

    private readonly SemaphoreSlim turn = new(1, 1);
    private byte[] buffer = new byte[40 << 10];

    /// <summary>The next frame; null when the other side has closed or is gone.</summary>
    /// <exception cref="InvalidDataException">What came is no frame.</exception>
    public async Task<TunnelFrame?> ReadAsync(CancellationToken ct)
    {
        var length = 0;
        while (true)
        {
            if (length == buffer.Length)
            {
                if (length >= MostBytes)
                {
                    throw new InvalidDataException($"A message of more than {MostBytes} bytes is too large.");
                }

                Array.Resize(ref buffer, Math.Min(length * 2, MostBytes));
            }

            ValueWebSocketReceiveResult result;
            try
            {
                result = await socket.ReceiveAsync(buffer.AsMemory(length), ct);
            }
            catch (WebSocketException)
            {
                return null;
            }

            if (result.MessageType == WebSocketMessageType.Close)
            {
                return null;
            }

            if (result.MessageType != WebSocketMessageType.Binary)
            {
                throw new InvalidDataException("Send binary messages, a TunnelFrame each (tunnel.proto).");
            }

            length += result.Count;
            if (result.EndOfMessage)
            {
                return Parse(buffer.AsSpan(0, length));
            }
        }
    }

    /// <summary>Sends a frame; nothing happens where the other side is gone.</summary>
    public async Task WriteAsync(TunnelFrame frame, CancellationToken ct)
    {
        await turn.WaitAsync(ct);
        try
        {
            await socket.SendAsync(frame.ToByteArray(), WebSocketMessageType.Binary, endOfMessage: true, ct);
        }
        catch (Exception e) when (e is WebSocketException or IOException)
        {
            // The reading side finds out, and says so.
        }
        finally
        {
            turn.Release();
        }
    }

    /// <summary>Closes in good order.</summary>
    public async Task CloseAsync(WebSocketCloseStatus status, string reason, CancellationToken ct)
    {
        await turn.WaitAsync(ct);
        try
        {
            await socket.CloseOutputAsync(status, reason, ct);
        }
        catch (Exception e) when (e is WebSocketException or IOException or InvalidOperationException)
        {
            // It is closed already.
        }
        finally
        {
            turn.Release();
        }
    }

    /// <summary>Reads and drops what still comes, until the other side has closed.</summary>
    public async Task DrainAsync(CancellationToken ct)
    {
        try
        {
            while (socket.State is WebSocketState.Open or WebSocketState.CloseSent)
            {
                await socket.ReceiveAsync(buffer.AsMemory(), ct);
            }
        }
        catch (WebSocketException)
        {
            // It has gone.
        }
    }

    public void Dispose() => turn.Dispose();

    private static TunnelFrame Parse(ReadOnlySpan<byte> bytes)
    {
        try
        {
            return TunnelFrame.Parser.ParseFrom(bytes);
        }
        catch (InvalidProtocolBufferException e)
        {
            throw new InvalidDataException($"The message is no TunnelFrame: {e.Message}", e);
        }
    }
}
