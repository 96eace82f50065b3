using System.Net.WebSockets;
using EdgeVirt.Contracts.Channels;
using EdgeVirt.Contracts.Protos;
using Google.Protobuf;
using Microsoft.AspNetCore.Http;

namespace EdgeVirt.Cli.Tests.Interactive;

/// <summary>The hub's end of one WebSocket: what a test does with the frames that come.</summary>
internal sealed class FakeChannel(WebSocket socket)
{
    private uint id;

    public OpenChannel Opened { get; private set; } = null!;

    /// <summary>Answers WebSockets at an address.</summary>
    public static void Serve(FakeHub hub, string path, Func<FakeChannel, Task> serve) => hub.Answer($"GET {path}", async context =>
    {
        if (!context.WebSockets.IsWebSocketRequest)
        {
            context.Response.StatusCode = StatusCodes.Status400BadRequest;
            return;
        }

        using var socket = await context.WebSockets.AcceptWebSocketAsync();
        var channel = new FakeChannel(socket);
        var first = await channel.NextAsync();
        (channel.id, channel.Opened) = (first!.Channel, first.Open);
        try
        {
            await serve(channel);
            await socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, "", default);
        }
        catch (WebSocketException)
        {
            // The caller has gone.
        }
    });

    public async Task<TunnelFrame?> NextAsync()
    {
        var buffer = new byte[64 << 10];
        var length = 0;
        while (true)
        {
            var part = await socket.ReceiveAsync(buffer.AsMemory(length), default);
            length += part.Count;
            if (part.MessageType == WebSocketMessageType.Close)
            {
                return null;
            }

            if (part.EndOfMessage)
            {
                return TunnelFrame.Parser.ParseFrom(buffer.AsSpan(0, length));
            }
        }
    }

    /// <summary>Messages that the caller sends, each data frame allowed anew.</summary>
    public IAsyncEnumerable<StreamMessage> ReadAllAsync() => StreamMessages.ReadAsync(DataAsync(), default);

    public Task AllowAsync(uint bytes) => SendAsync(new TunnelFrame { Window = bytes });

    public Task SendAsync(StreamMessage message) => SendAsync(new TunnelFrame { Data = ByteString.CopyFrom(StreamMessages.ToBytes(message).Span) });

    public Task CloseAsync(CloseReason reason = CloseReason.Done, string message = "") =>
        SendAsync(new TunnelFrame { Close = new CloseChannel { Reason = reason, Message = message } });

    private Task SendAsync(TunnelFrame frame)
    {
        frame.Channel = id;
        return socket.SendAsync(frame.ToByteArray(), WebSocketMessageType.Binary, true, default);
    }

    private async IAsyncEnumerable<ReadOnlyMemory<byte>> DataAsync()
    {
        while (await NextAsync() is { } frame && frame.KindCase != TunnelFrame.KindOneofCase.Close)
        {
            if (frame.KindCase == TunnelFrame.KindOneofCase.Data)
            {
                yield return frame.Data.Memory;
                await AllowAsync((uint)frame.Data.Length);
            }
        }
    }
}
