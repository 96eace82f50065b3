using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Contracts.Boards;

/// <summary>The ways out of a board: cable, wireless, cellular.</summary>
public static partial class BoardSettingsValidation
{
    private const int MaxInterfaceName = 15;

    private static void ValidateEthernet(IReadOnlyList<EthernetSettings> all, Validation v)
    {
        for (var i = 0; i < all.Count; i++)
        {
            var (one, path) = (all[i], $"ethernet[{i}]");
            if (one.Interface is { } name && (name.Length is 0 or > MaxInterfaceName || name.Any(c => !char.IsAsciiLetterOrDigit(c) && c is not ('_' or '-' or '.' or '*' or '?'))))
            {
                v.Add($"{path}.interface", $"'{Short(name)}' is no name of an interface: 1 to {MaxInterfaceName} of letters, digits and '_', '-', '.', and '*' or '?' for what may vary");
            }

            if (all.Take(i).Any(other => other.Interface == one.Interface))
            {
                v.Add($"{path}.interface", one.Interface is null ? "is required where more than one entry is given: which interface is meant?" : $"'{Short(one.Interface)}' is there twice; put both into one entry");
            }

            ValidateAddresses(one, path, v);
        }
    }

    private static void ValidateAddresses(EthernetSettings one, string path, Validation v)
    {
        var networks = new List<IPNetwork>();
        for (var i = 0; i < one.Addresses.Count; i++)
        {
            var at = $"{path}.addresses[{i}]";
            if (Problem(one.Addresses[i], out var network) is { } problem)
            {
                v.Add(at, problem);
            }
            else if (one.Addresses.Take(i).Contains(one.Addresses[i]))
            {
                v.Add(at, $"{one.Addresses[i]} is there twice; remove one");
            }
            else
            {
                networks.Add(network);
            }
        }

        if (one.Gateway is { } gateway)
        {
            if (AddressOf(gateway) is not { } way)
            {
                v.Add($"{path}.gateway", $"'{Short(gateway)}' is no address, such as 192.168.7.1");
            }
            else if (one.Addresses.Count == 0)
            {
                v.Add($"{path}.gateway", "needs addresses beside it; without them DHCP says what the gateway is");
            }
            else if (networks.Count == one.Addresses.Count && !way.IsIPv6LinkLocal && !networks.Exists(network => network.Contains(way)))
            {
                v.Add($"{path}.gateway", $"{gateway} is in none of the addresses' networks ({string.Join(", ", networks)}), so it cannot be reached");
            }
            else if (one.Addresses.Any(address => AddressOf(address.Split('/')[0])?.Equals(way) is true))
            {
                v.Add($"{path}.gateway", $"{gateway} is the board's own address");
            }
        }

        for (var i = 0; i < (one.NameServers?.Count ?? 0); i++)
        {
            if (AddressOf(one.NameServers![i]) is null)
            {
                v.Add($"{path}.nameServers[{i}]", $"'{Short(one.NameServers[i])}' is no address; a name server cannot be given by name");
            }
        }

        if (one is { Addresses.Count: 0, Gateway: null, NameServers: null or { Count: 0 } })
        {
            v.Add(path, "says nothing; give addresses or nameServers, or leave the entry out for DHCP");
        }
    }

    private static string? Problem(string text, out IPNetwork network)
    {
        network = default;
        if (text.Split('/') is not [var host, var digits] || AddressOf(host) is not { } address ||
            !int.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out var prefix))
        {
            return $"'{Short(text)}' is no address with the length of its prefix, such as 192.168.7.20/24";
        }

        var isV4 = address.AddressFamily == AddressFamily.InterNetwork;
        if (prefix < 1 || prefix > (isV4 ? 32 : 128))
        {
            return $"'{Short(text)}' has a prefix length that cannot be; it is 1 to {(isV4 ? 32 : 128)}";
        }

        if (IPAddress.IsLoopback(address) || address.Equals(IPAddress.Any) || address.Equals(IPAddress.IPv6Any) || address.IsIPv6Multicast || (isV4 && address.GetAddressBytes()[0] >= 224))
        {
            return $"{text} is no address of a single machine on a network";
        }

        var parts = address.GetAddressBytes();
        var (low, high) = HostBits(parts, prefix);
        network = new IPNetwork(new IPAddress(parts), prefix);
        if (isV4 && prefix < 31 && (low || high))
        {
            return $"{text} is the address of the whole network{(high ? "'s broadcasts" : "")}, not of one machine in it";
        }

        return null;
    }

    /// <summary>Whether the bits behind the prefix are all 0 or all 1; they are cleared.</summary>
    private static (bool Low, bool High) HostBits(byte[] address, int prefix)
    {
        var (low, high) = (true, true);
        for (var bit = prefix; bit < address.Length * 8; bit++)
        {
            var mask = (byte)(0x80 >> (bit % 8));
            var isSet = (address[bit / 8] & mask) != 0;
            (low, high) = (low && !isSet, high && isSet);
            address[bit / 8] &= (byte)~mask;
        }

        return (low, high);
    }

    private static void ValidateWifi(WifiSettings? wifi, Validation v)
    {
        if (wifi is null)
        {
            return;
        }

        if (Encoding.UTF8.GetByteCount(wifi.Ssid) is 0 or > 32 || wifi.Ssid.Any(char.IsControl))
        {
            v.Add("wifi.ssid", $"'{Short(Printable(wifi.Ssid))}' is no name of a network: it has 1 to 32 bytes of UTF-8, without control characters");
        }

        if (wifi.Passphrase is { } secret && !(secret.Length is >= 8 and <= 63 && secret.All(c => c is >= ' ' and <= '~')) && !(secret.Length == 64 && secret.All(char.IsAsciiHexDigit)))
        {
            v.Add("wifi.passphrase", $"has {secret.Length} characters; it must be 8 to 63 characters of ASCII, or 64 hexadecimal digits; leave it out for an open network");
        }

        if (wifi.Country is not [>= 'A' and <= 'Z', >= 'A' and <= 'Z'])
        {
            v.Add("wifi.country", $"'{Short(wifi.Country)}' is no country code of two capital letters, such as NO");
        }
    }

    private static void ValidateCellular(CellularSettings? cellular, Validation v)
    {
        if (cellular is null)
        {
            return;
        }

        if (cellular.Apn.Length is 0 or > 100 || cellular.Apn.Any(c => !char.IsAsciiLetterOrDigit(c) && c is not ('.' or '-' or '_')))
        {
            v.Add("cellular.apn", $"'{Short(Printable(cellular.Apn))}' is no access point name: 1 to 100 letters, digits, '.', '-' and '_', such as internet.example");
        }

        if (cellular.User is { } user && !IsLine(user))
        {
            v.Add("cellular.user", "must be 1 to 128 characters on one line");
        }

        if (cellular.Password is { } password && !IsLine(password))
        {
            v.Add("cellular.password", "must be 1 to 128 characters on one line");
        }

        if (cellular is { Password: not null, User: null })
        {
            v.Add("cellular.password", "needs a user beside it");
        }

        if (cellular.Pin is { } pin && (pin.Length is < 4 or > 8 || !pin.All(char.IsAsciiDigit)))
        {
            v.Add("cellular.pin", "must be 4 to 8 digits");
        }
    }

    private static bool IsLine(string text) => text.Length is > 0 and <= 128 && !text.Any(char.IsControl);

    private static string Printable(string text) => string.Concat(text.Select(c => char.IsControl(c) ? '?' : c));
}
