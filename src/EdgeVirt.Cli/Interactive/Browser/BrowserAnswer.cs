using System.Diagnostics.CodeAnalysis;
using System.Net.WebSockets;
using System.Security.Cryptography;
using System.Text;

namespace EdgeVirt.Cli.Interactive.Browser;

/// <summary>What a browser is answered. Each answer is the last one of its connection, a WebSocket aside.</summary>
internal static class BrowserAnswer
{
    // RFC 6455, 1.3.
    private const string WebSocketGuid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    private static readonly TimeSpan PingAfter = TimeSpan.FromSeconds(15);

    /// <summary>Sends an answer.</summary>
    /// <param name="stream">To the browser.</param>
    /// <param name="status">Code and words.</param>
    /// <param name="type">Of the content.</param>
    /// <param name="content">What is sent.</param>
    /// <param name="host">Where the page may connect to: this very address. Null: it is not ours.</param>
    /// <param name="ct">Gives up.</param>
    public static async Task SendAsync(Stream stream, string status, string type, ReadOnlyMemory<byte> content, string? host, CancellationToken ct)
    {
        // Not all browsers take 'self' for WebSockets too.
        var connect = host is null ? "'none'" : $"'self' ws://{host}";
        var head =
            $"HTTP/1.1 {status}\r\nContent-Type: {type}\r\nContent-Length: {content.Length}\r\nConnection: close\r\nCache-Control: no-store\r\n" +
            $"Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src {connect}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n" +
            "X-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\nCross-Origin-Resource-Policy: same-origin\r\nCross-Origin-Opener-Policy: same-origin\r\n\r\n";
        await stream.WriteAsync(Encoding.ASCII.GetBytes(head), ct);
        await stream.WriteAsync(content, ct);
    }

    public static Task SayAsync(Stream stream, string status, string text, CancellationToken ct) =>
        SendAsync(stream, status, "text/plain; charset=utf-8", Encoding.UTF8.GetBytes(text + "\n"), host: null, ct);

    public static bool IsUpgrade(BrowserRequest request) =>
        request.Method == "GET" && request.Lists("Connection", "Upgrade") && request.Lists("Upgrade", "websocket") && request["Sec-WebSocket-Version"] == "13" && request["Sec-WebSocket-Key"] is { Length: 24 };

    /// <summary>Makes a WebSocket of the connection that asked to become one.</summary>
    public static async Task<WebSocket> UpgradeAsync(Stream stream, BrowserRequest request, CancellationToken ct)
    {
        var head = $"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: {AcceptOf(request["Sec-WebSocket-Key"]!)}\r\n\r\n";
        await stream.WriteAsync(Encoding.ASCII.GetBytes(head), ct);
        return WebSocket.CreateFromStream(stream, new WebSocketCreationOptions { IsServer = true, KeepAliveInterval = PingAfter });
    }

    [SuppressMessage("Security", "CA5350", Justification = "RFC 6455 wants SHA-1; nothing is kept safe by it.")]
    private static string AcceptOf(string key) => Convert.ToBase64String(SHA1.HashData(Encoding.ASCII.GetBytes(key + WebSocketGuid)));
}
