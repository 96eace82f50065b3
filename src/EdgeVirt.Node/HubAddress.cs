namespace EdgeVirt.Node;

/// <summary>Where the hub listens: a name or address, and a port.</summary>
internal readonly record struct HubAddress(string Host, int Port)
{
    /// <summary>The hub's node port where none is named.</summary>
    public const int DefaultPort = 8444;

    /// <summary>Reads <c>host</c>, <c>host:port</c>, <c>192.0.2.1:port</c> or <c>[2001:db8::1]:port</c>.</summary>
    public static bool TryParse(string? text, out HubAddress address)
    {
        address = default;
        if (string.IsNullOrWhiteSpace(text)
            || text.Contains("://", StringComparison.Ordinal)
            || !Uri.TryCreate($"https://{text}", UriKind.Absolute, out var uri)
            || uri is not { AbsolutePath: "/", Query: "", UserInfo: "" })
        {
            return false;
        }

        var port = uri.IsDefaultPort && !text.EndsWith(":443", StringComparison.Ordinal) ? DefaultPort : uri.Port;
        address = new HubAddress(uri.IdnHost, port);
        return port > 0;
    }

    /// <summary>Base address for gRPC.</summary>
    public Uri ToUri() => new($"https://{(Host.Contains(':') ? $"[{Host.Trim('[', ']')}]" : Host)}:{Port}");

    /// <inheritdoc/>
    public override string ToString() => $"{(Host.Contains(':') ? $"[{Host.Trim('[', ']')}]" : Host)}:{Port}";
}
