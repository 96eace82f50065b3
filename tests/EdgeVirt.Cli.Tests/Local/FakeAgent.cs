using System.Net.Sockets;
using EdgeVirt.Cli.Local;
using EdgeVirt.Contracts.Protos;
using Google.Protobuf;

namespace EdgeVirt.Cli.Tests.Local;

/// <summary>Serves one channel: data in so many pieces, then a close.</summary>
internal sealed class FakeAgent : IAsyncDisposable
{
    private readonly Socket listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
    private readonly Task serving;

    public FakeAgent(string folder, byte[] data, int pieces, CloseChannel close)
    {
        Path = System.IO.Path.Combine(folder, "control.sock");
        listener.Bind(new UnixDomainSocketEndPoint(Path));
        listener.Listen();
        serving = ServeAsync(data, pieces, close);
    }

    public string Path { get; }

    public OpenChannel? Opened { get; private set; }

    public async ValueTask DisposeAsync()
    {
        listener.Dispose();
        try
        {
            await serving;
        }
        catch (SocketException)
        {
            // Nobody came.
        }
    }

    private async Task ServeAsync(byte[] data, int pieces, CloseChannel close)
    {
        using var socket = await listener.AcceptAsync();
        await using var stream = new NetworkStream(socket);
        var frames = new FrameStream(stream);
        var open = (await frames.ReadAsync(CancellationToken.None))!;
        Opened = open.Open;
        var size = pieces == 0 ? 1 : (data.Length / pieces) + 1;
        foreach (var piece in data.Chunk(size))
        {
            await frames.WriteAsync(new TunnelFrame { Channel = open.Channel, Data = ByteString.CopyFrom(piece) }, CancellationToken.None);
        }

        await frames.WriteAsync(new TunnelFrame { Channel = open.Channel, Close = close }, CancellationToken.None);
        while (await frames.ReadAsync(CancellationToken.None) is not null)
        {
            // Window frames, until the client hangs up.
        }
    }
}
