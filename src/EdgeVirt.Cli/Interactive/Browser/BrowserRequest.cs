using System.Globalization;
using System.Text;

namespace EdgeVirt.Cli.Interactive.Browser;

/// <summary>One request of a browser (HTTP/1.1, RFC 9112). No more of the protocol is understood than browsers need for a page of their own.</summary>
internal sealed record BrowserRequest(string Method, string Path, IReadOnlyDictionary<string, string> Headers, string Body)
{
    /// <summary>Most bytes of a head: cookies of all that this machine's loopback ever served come along.</summary>
    public const int MostHeadBytes = 64 << 10;

    /// <summary>Most bytes of a body: a secret.</summary>
    public const int MostBodyBytes = 256;

    private static readonly byte[] EndOfHead = "\r\n\r\n"u8.ToArray();

    public string? this[string header] => Headers.GetValueOrDefault(header);

    /// <summary>Whether a header's list has a word, as <c>Connection: keep-alive, Upgrade</c>.</summary>
    public bool Lists(string header, string word) =>
        this[header]?.Split(',', StringSplitOptions.TrimEntries).Contains(word, StringComparer.OrdinalIgnoreCase) == true;

    /// <summary>Reads a request. Null: the connection ended before one began.</summary>
    /// <exception cref="InvalidDataException">It is none, or longer than any of ours.</exception>
    public static async Task<BrowserRequest?> ReadAsync(Stream stream, CancellationToken ct)
    {
        var buffer = new byte[MostHeadBytes];
        var length = 0;
        int end;
        while ((end = buffer.AsSpan(0, length).IndexOf(EndOfHead)) < 0)
        {
            var count = length < buffer.Length ? await stream.ReadAsync(buffer.AsMemory(length), ct) : throw new InvalidDataException("the request's head is too long");
            if (count == 0)
            {
                return length == 0 ? null : throw new InvalidDataException("the request ended within its head");
            }

            length += count;
        }

        var (method, path, headers) = ParseHead(Encoding.Latin1.GetString(buffer, 0, end));
        var begun = end + EndOfHead.Length;
        var body = new byte[BodyLength(headers)];
        var have = Math.Min(length - begun, body.Length);
        if (have < length - begun)
        {
            throw new InvalidDataException("more came than one request");
        }

        buffer.AsSpan(begun, have).CopyTo(body);
        await stream.ReadExactlyAsync(body.AsMemory(have), ct);
        return new BrowserRequest(method, path, headers, Encoding.UTF8.GetString(body));
    }

    private static (string Method, string Path, Dictionary<string, string> Headers) ParseHead(string head)
    {
        var lines = head.Split("\r\n");
        if (lines[0].Split(' ') is not [var method, ['/', ..] path, "HTTP/1.1"])
        {
            throw new InvalidDataException("this is not a request of HTTP/1.1");
        }

        var headers = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        foreach (var line in lines.AsSpan(1))
        {
            var colon = line.IndexOf(':', StringComparison.Ordinal);
            // Twice the same header: which one counts would be anybody's guess.
            if (colon <= 0 || !headers.TryAdd(line[..colon], line[(colon + 1)..].Trim(' ', '\t')))
            {
                throw new InvalidDataException("a header of the request is none, or there twice");
            }
        }

        return (method, path, headers);
    }

    private static int BodyLength(Dictionary<string, string> headers)
    {
        if (headers.ContainsKey("Transfer-Encoding"))
        {
            throw new InvalidDataException("the request's length is not told");
        }

        return headers.GetValueOrDefault("Content-Length") switch
        {
            null => 0,
            var told when int.TryParse(told, NumberStyles.None, CultureInfo.InvariantCulture, out var bytes) && bytes <= MostBodyBytes => bytes,
            _ => throw new InvalidDataException("the request's body is too long"),
        };
    }
}
