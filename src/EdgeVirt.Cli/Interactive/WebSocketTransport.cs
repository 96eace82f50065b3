using System.Net;
using System.Net.WebSockets;
using System.Security.Cryptography.X509Certificates;
using EdgeVirt.Cli.HubClient;
using EdgeVirt.Contracts.Protos;
using Google.Protobuf;

namespace EdgeVirt.Cli.Interactive;

/// <summary>Frames on a WebSocket of the hub's API, a frame per binary message.</summary>
internal sealed class WebSocketTransport : IFrameTransport
{
    private const int MostBytes = 64 << 10;
    private static readonly TimeSpan PingAfter = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan PingTimeout = TimeSpan.FromSeconds(20);

    private readonly ClientWebSocket socket;
    private readonly byte[] buffer = new byte[MostBytes];

    private WebSocketTransport(ClientWebSocket socket) => this.socket = socket;

    /// <summary>Connects to an endpoint of the hub.</summary>
    /// <exception cref="CliException">The hub cannot be reached, or refused.</exception>
    public static async Task<WebSocketTransport> ConnectAsync(HubTarget target, string path, TimeSpan timeout, CancellationToken ct)
    {
        var socket = new ClientWebSocket();
        socket.Options.CollectHttpResponseDetails = true;
        socket.Options.KeepAliveInterval = PingAfter;
        socket.Options.KeepAliveTimeout = PingTimeout;
        socket.Options.SetRequestHeader("User-Agent", "edgevirt-cli/1");
        socket.Options.RemoteCertificateValidationCallback = (_, certificate, chain, errors) => target.Trust.Accepts(certificate as X509Certificate2, chain, errors);
        if (target.Token is { } token)
        {
            socket.Options.SetRequestHeader("Authorization", $"Bearer {token}");
        }

        using var limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
        limit.CancelAfter(timeout);
        try
        {
            await socket.ConnectAsync(new Uri($"wss://{target.Server.Authority}{path}"), limit.Token);
            return new WebSocketTransport(socket);
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            socket.Dispose();
            throw Reachability.TimedOut(target.Server, timeout);
        }
        catch (WebSocketException fault)
        {
            var status = socket.HttpStatusCode;
            socket.Dispose();
            throw Refused(target, status) ?? Reachability.Explain(target.Server, fault.InnerException as HttpRequestException ?? new HttpRequestException(fault.Message, fault), target.Trust);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    public async Task<TunnelFrame?> ReadAsync(CancellationToken ct)
    {
        var length = 0;
        while (true)
        {
            if (length == buffer.Length)
            {
                throw new InvalidDataException($"a frame of more than {MostBytes} bytes");
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

            length += result.Count;
            if (result.EndOfMessage)
            {
                return Parse(buffer.AsSpan(0, length));
            }
        }
    }

    public async Task WriteAsync(TunnelFrame frame, CancellationToken ct)
    {
        try
        {
            await socket.SendAsync(frame.ToByteArray(), WebSocketMessageType.Binary, endOfMessage: true, ct);
        }
        catch (Exception fault) when (fault is WebSocketException or IOException or ObjectDisposedException)
        {
            // What the hub had to say is still to be read.
        }
    }

    public void Dispose() => socket.Dispose();

    private static TunnelFrame Parse(ReadOnlySpan<byte> bytes)
    {
        try
        {
            return TunnelFrame.Parser.ParseFrom(bytes);
        }
        catch (InvalidProtocolBufferException fault)
        {
            throw new InvalidDataException(fault.Message, fault);
        }
    }

    // The body of a refusal does not reach us, its status does.
    private static CliException? Refused(HubTarget target, HttpStatusCode status) => status switch
    {
        0 or HttpStatusCode.SwitchingProtocols => null,
        HttpStatusCode.Unauthorized => new CliException(
            ExitCodes.Unauthorized,
            target.Token is null ? $"the hub at {target.Server.Authority} wants a token." : $"the hub at {target.Server.Authority} does not accept the token.",
            "Run 'edgevirt login' with a token that is valid."),
        HttpStatusCode.Forbidden => new CliException(ExitCodes.Unauthorized, "the token is read-only; it may not reach into containers and virtual machines.", "Use a token that may make changes."),
        HttpStatusCode.NotFound => new CliException(ExitCodes.Failure, $"the hub at {target.Server.Authority} does not know this verb.", "It may be older than this edgevirt: compare them with 'edgevirt version'."),
        _ => new CliException(ExitCodes.Failure, $"the hub at {target.Server.Authority} answered {(int)status}.", "Its log says why; a proxy in between may not let WebSockets through."),
    };
}
