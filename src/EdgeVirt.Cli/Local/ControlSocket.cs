using System.Net.Sockets;
using System.Runtime.CompilerServices;
using EdgeVirt.Cli.Interactive;
using EdgeVirt.Contracts.Protos;

namespace EdgeVirt.Cli.Local;

/// <summary>The agent on this machine, over its control socket: one channel per connection.</summary>
internal sealed class ControlSocket : IFrameTransport
{
    public const string DefaultPath = "/run/edgevirt/control.sock";

    private const uint Channel = 1;
    private const uint InitialWindow = 1 << 20;
    private readonly NetworkStream stream;
    private readonly FrameStream frames;

    private ControlSocket(Socket socket)
    {
        stream = new NetworkStream(socket, ownsSocket: true);
        frames = new FrameStream(stream);
    }

    /// <summary>What the agent said when it was done; empty: nothing.</summary>
    public string LastWords { get; private set; } = "";

    public static async Task<ControlSocket> ConnectAsync(string path, CancellationToken ct)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), ct);
            return new ControlSocket(socket);
        }
        catch (SocketException fault)
        {
            socket.Dispose();
            var refused = fault.SocketErrorCode == SocketError.AccessDenied;
            throw new CliException(
                refused ? ExitCodes.Unauthorized : ExitCodes.Unreachable,
                $"cannot reach the agent at {path}: {(refused ? "permission denied" : File.Exists(path) ? "nobody listens" : "there is no such socket")}.",
                refused ? "Run it as root." : "Is the agent running on this machine? If its --run-dir is another, give --socket PATH.");
        }
        catch (ArgumentOutOfRangeException)
        {
            socket.Dispose();
            throw new CliException(ExitCodes.Usage, $"'{path}' is too long for a socket's path.", "Sockets take about 100 characters; give another --socket.");
        }
    }

    /// <summary>Opens the channel and gives its data until the agent closes it.</summary>
    /// <exception cref="CliException">The agent closed for another reason than being done.</exception>
    public async IAsyncEnumerable<ReadOnlyMemory<byte>> OpenAsync(OpenChannel open, [EnumeratorCancellation] CancellationToken ct)
    {
        open.Window = InitialWindow;
        await SendAsync(new TunnelFrame { Channel = Channel, Open = open }, ct);
        while (true)
        {
            var frame = await NextAsync(ct);
            switch (frame.KindCase)
            {
                case TunnelFrame.KindOneofCase.Data:
                    yield return frame.Data.Memory;
                    await SendAsync(new TunnelFrame { Channel = Channel, Window = (uint)frame.Data.Length }, ct);
                    break;
                case TunnelFrame.KindOneofCase.Close when ChannelFaults.Of(frame.Close) is { } refused:
                    throw refused;
                case TunnelFrame.KindOneofCase.Close:
                    LastWords = frame.Close.Message;
                    yield break;
                default:
                    break;
            }
        }
    }

    public Task<TunnelFrame?> ReadAsync(CancellationToken ct) => frames.ReadAsync(ct);

    public Task WriteAsync(TunnelFrame frame, CancellationToken ct) => SendAsync(frame, ct);

    public void Dispose() => stream.Dispose();

    private async Task<TunnelFrame> NextAsync(CancellationToken ct)
    {
        try
        {
            return await frames.ReadAsync(ct) ?? throw Broken("it hung up");
        }
        catch (Exception fault) when (fault is IOException or InvalidDataException)
        {
            throw Broken(fault.Message);
        }
    }

    private async Task SendAsync(TunnelFrame frame, CancellationToken ct)
    {
        try
        {
            await frames.WriteAsync(frame, ct);
        }
        catch (IOException)
        {
            // The agent may have closed already; what it had to say is still to be read.
        }
    }

    private static CliException Broken(string why) => new(
        ExitCodes.Unreachable, $"the agent broke off: {why}.", "It may be starting again; try once more, and look at its log.");
}
