using System.Net.Sockets;
using EdgeVirt.Contracts.Protos;
using EdgeVirt.Node.Control;
using EdgeVirt.Node.Tests.Hub;

namespace EdgeVirt.Node.Tests.Control;

/// <summary>Somebody on the board asks its agent.</summary>
internal static class LocalCall
{
    /// <summary>All data of one answer, and how it ended.</summary>
    public static async Task<(byte[] Data, CloseChannel Close)> AskAsync(NodeFixture node, OpenChannel open)
    {
        var path = Path.Combine(node.Options.RunDir, "control.sock");
        await Eventually.HoldsAsync(() => File.Exists(path), "the socket");
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint(path));
        await using var stream = new NetworkStream(socket, ownsSocket: true);
        var frames = new SocketFrames(stream);
        open.Window = 1 << 20;
        await frames.WriteAsync(new TunnelFrame { Channel = 1, Open = open }, default);
        using var data = new MemoryStream();
        using var patience = new CancellationTokenSource(TimeSpan.FromMinutes(1));
        while (await frames.ReadAsync(patience.Token) is { } frame)
        {
            if (frame.KindCase == TunnelFrame.KindOneofCase.Close)
            {
                return (data.ToArray(), frame.Close);
            }

            data.Write(frame.Data.Span);
        }

        throw new EndOfStreamException("the agent hung up");
    }
}
