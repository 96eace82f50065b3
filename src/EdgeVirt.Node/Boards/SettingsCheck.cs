using System.Net;
using System.Net.Sockets;
using System.Text;
using EdgeVirt.Contracts.Boards;
using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Node.Boards;

/// <summary>What is wrong with one setting, as the rest of a sentence that begins with its name; null where nothing is. Everything that a check lets through can be
/// written into a line of a configuration file as it is.</summary>
internal static class SettingsCheck
{
    private const int LongestInterface = 15;

    /// <summary>host:port of a hub.</summary>
    public static string? Hub(string hub) => HubAddress.TryParse(hub, out _) ? null : "must be host:port, such as hub.example.com:8444";

    /// <summary>A claim token.</summary>
    public static string? ClaimToken(string token) => string.IsNullOrWhiteSpace(token) || Contracts.ClaimToken.TryParse(token, out _)
        ? null
        : "is no claim token; copy the whole text that 'edgevirt node claim create' printed";

    /// <summary>A node's name.</summary>
    public static string? NodeName(string name) => ResourceName.Problem(name);

    /// <summary>A static address.</summary>
    public static string? Ethernet(EthernetSettings ethernet)
    {
        if (ethernet.Interface is { } name && !IsInterface(name))
        {
            return $"names interface '{name}': that must be a name or pattern such as eth0 or en*";
        }

        if (ethernet.Addresses.Count == 0)
        {
            return "has no addresses; write at least one such as 192.0.2.10/24, or leave the entry out for DHCP";
        }

        if (ethernet.Addresses.FirstOrDefault(address => Prefixed(address) is null) is { } wrong)
        {
            return $"has the address '{wrong}': that must be one with a prefix length, such as 192.0.2.10/24";
        }

        if (ethernet.Gateway is { } gateway && !(Address(gateway) is { } way && ethernet.Addresses.Any(address => Prefixed(address)!.Value.Contains(way))))
        {
            return $"has the gateway '{gateway}': that must be an address in the subnet of one of the addresses";
        }

        return ethernet.NameServers?.FirstOrDefault(server => Address(server) is null) is { } server
            ? $"has the name server '{server}': that must be an address"
            : null;
    }

    /// <summary>A wireless network.</summary>
    public static string? Wifi(WifiSettings wifi) => wifi switch
    {
        _ when Encoding.UTF8.GetByteCount(wifi.Ssid) is 0 or > 32 => "has an ssid that is not 1 to 32 bytes long",
        { Country: not [>= 'A' and <= 'Z', >= 'A' and <= 'Z'] } => $"has the country '{wifi.Country}': that must be its code of two capital letters, such as NO",
        { Passphrase: null } => null,
        { Passphrase.Length: 64 } when wifi.Passphrase.All(char.IsAsciiHexDigit) => null,
        { Passphrase.Length: >= 8 and <= 63 } when wifi.Passphrase.All(IsPrintable) => null,
        _ => "has a passphrase that is neither 8 to 63 characters of ASCII nor 64 hexadecimal digits; leave it out for an open network",
    };

    /// <summary>A cellular network.</summary>
    public static string? Cellular(CellularSettings cellular) => cellular switch
    {
        { Apn: not { Length: >= 1 and <= 100 } } => "has an apn that is not 1 to 100 characters long",
        _ when !cellular.Apn.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '-' or '_') => $"has the apn '{cellular.Apn}': letters, digits, '.', '-' and '_' are allowed",
        _ when !IsQuotable(cellular.User) => "has a user that is not at most 64 printable characters of ASCII without '\"'",
        _ when !IsQuotable(cellular.Password) => "has a password that is not at most 64 printable characters of ASCII without '\"'",
        { Pin: { } pin } when pin.Length is < 4 or > 8 || !pin.All(char.IsAsciiDigit) => "has a pin that is not 4 to 8 digits",
        _ => null,
    };

    /// <summary>A server of the time.</summary>
    public static string? TimeServer(string server) => Uri.CheckHostName(server) == UriHostNameType.Unknown || !server.All(c => IsPrintable(c) && c != ' ')
        ? $"is '{server}': that must be a name or address"
        : null;

    /// <summary>A line of authorized_keys.</summary>
    public static string? AuthorizedKey(string key) => key.Length is > 0 and <= 4096 && key.All(IsPrintable) && key.Contains(' ', StringComparison.Ordinal)
        ? null
        : "is no line of authorized_keys, such as 'ssh-ed25519 AAAA… name'";

    private static bool IsInterface(string name) => name.Length is >= 1 and <= LongestInterface && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-' or '.' or '*' or '?');

    private static IPNetwork? Prefixed(string text)
    {
        if (text.Split('/') is not [var left, var right] || Address(left) is not { } address || !int.TryParse(right, out var length)
            || length < 1 || length > address.GetAddressBytes().Length * 8)
        {
            return null;
        }

        var bytes = address.GetAddressBytes();
        for (var bit = length; bit < bytes.Length * 8; bit++)
        {
            bytes[bit / 8] &= (byte)~(0x80 >> (bit % 8));
        }

        return new IPNetwork(new IPAddress(bytes), length);
    }

    // Without a zone, and IPv4 with all of its four numbers.
    private static IPAddress? Address(string text) =>
        IPAddress.TryParse(text, out var address) && !text.Contains('%', StringComparison.Ordinal) && !text.Contains('[', StringComparison.Ordinal)
        && (address.AddressFamily == AddressFamily.InterNetworkV6 || address.ToString() == text)
            ? address
            : null;

    private static bool IsQuotable(string? text) => text is null || (text.Length <= 64 && text.All(c => IsPrintable(c) && c != '"'));

    private static bool IsPrintable(char c) => c is >= ' ' and <= '~';
}
