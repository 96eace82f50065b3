using System.Buffers.Binary;
using System.Buffers.Text;
using System.Net;
using System.Text;
using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Contracts.Boards;

/// <summary>What must hold of <see cref="BoardSettings"/>. Faults name the field and what would be right, and never repeat a secret.</summary>
public static partial class BoardSettingsValidation
{
    private const int MaxTimeServers = 8;
    private const int MaxKeys = 16;

    /// <summary>Earliest <see cref="BoardSettings.FlashedAt"/>: nothing was flashed before there was EdgeVirt.</summary>
    private static readonly DateTimeOffset Earliest = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);
    private static readonly DateTimeOffset Latest = new(2100, 1, 1, 0, 0, 0, TimeSpan.Zero);

    private static readonly string[] KeyTypes =
    [
        "ssh-ed25519", "ssh-rsa", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com",
    ];

    /// <summary>Adds each fault.</summary>
    public static void Validate(BoardSettings settings, Validation v)
    {
        if (settings.Hub is { } hub && !IsHostAndPort(hub))
        {
            v.Add("hub", $"'{Short(hub)}' is no host:port of a hub's node port, such as hub.example.com:8444 or [2001:db8::1]:8444");
        }

        if (settings.ClaimToken is { } token && !ClaimToken.TryParse(token, out _))
        {
            v.Add("claimToken", "is no claim token: it begins with 'evc1.' and has four parts; it may have been cut when it was copied");
        }

        if (settings.NodeName is { } name && ResourceName.Problem(name) is { } problem)
        {
            v.Add("nodeName", $"'{Short(name)}' {problem}");
        }

        if (settings.FlashedAt is { } at && (at < Earliest || at >= Latest))
        {
            v.Add("flashedAt", $"{at:yyyy-MM-dd} cannot be: it must lie between {Earliest:yyyy} and {Latest:yyyy}; the clock of whoever wrote it may be wrong");
        }

        ValidateEthernet(settings.Ethernet ?? [], v);
        ValidateWifi(settings.Wifi, v);
        ValidateCellular(settings.Cellular, v);
        ValidateTimeServers(settings.TimeServers ?? [], v);
        foreach (var (host, registry) in settings.Registries ?? new Dictionary<string, RegistrySettings>())
        {
            if (!IsHost(host) && !IsHostAndPort(host))
            {
                v.Add($"registries.{Short(host)}", "must be called by the host that images name, such as registry.example.com");
            }

            if (!Uri.TryCreate(registry.Url, UriKind.Absolute, out var url) || (url.Scheme != Uri.UriSchemeHttp && url.Scheme != Uri.UriSchemeHttps))
            {
                v.Add($"registries.{Short(host)}.url", $"'{Short(registry.Url)}' is no address such as http://192.168.7.5:5000");
            }
        }

        ValidateKeys(settings.SshAuthorizedKeys ?? [], v);
        if (v.IsValid && BoardSettingsFile.LengthOf(settings) is > BoardSettings.FileBytes and var bytes)
        {
            v.Add("", BoardSettingsFile.TooLong(bytes));
        }
    }

    /// <summary>Whether a text is <c>name:port</c>, <c>192.0.2.1:port</c> or <c>[2001:db8::1]:port</c>.</summary>
    public static bool IsHostAndPort(string text)
    {
        var cut = text.LastIndexOf(':');
        if (cut <= 0 || text[(cut + 1)..] is not { Length: > 0 and <= 5 } digits || digits.AsSpan().ContainsAnyExceptInRange('0', '9') || int.Parse(digits) is < 1 or > 65535)
        {
            return false;
        }

        var host = text[..cut];
        return host is ['[', .. var inner, ']'] ? AddressOf(inner) is { AddressFamily: System.Net.Sockets.AddressFamily.InterNetworkV6 } : IsHost(host) && !host.Contains(':');
    }

    /// <summary>Whether a text is the name or address of a machine.</summary>
    internal static bool IsHost(string text)
    {
        if (AddressOf(text) is not null)
        {
            return true;
        }

        var labels = text.TrimEnd('.').Split('.');
        // Digits and dots alone are an address that went wrong.
        return text.Length <= 253 && labels.All(label => ResourceName.IsValid(label.ToLowerInvariant())) && !labels[^1].All(char.IsAsciiDigit);
    }

    /// <summary>An address as people write it: four numbers, or IPv6 without a scope.</summary>
    internal static IPAddress? AddressOf(string text)
    {
        if (text.Contains('%') || !IPAddress.TryParse(text, out var address))
        {
            return null;
        }

        return text.Contains(':') ? text.Contains('[') ? null : address : address.ToString() == text ? address : null;
    }

    private static void ValidateTimeServers(IReadOnlyList<string> servers, Validation v)
    {
        if (servers.Count > MaxTimeServers)
        {
            v.Add("timeServers", $"are {servers.Count}; at most {MaxTimeServers} are asked");
        }

        for (var i = 0; i < servers.Count; i++)
        {
            if (!IsHost(servers[i]))
            {
                v.Add($"timeServers[{i}]", $"'{Short(servers[i])}' is no name or address of a server, such as ntp.example.com");
            }
        }
    }

    private static void ValidateKeys(IReadOnlyList<string> keys, Validation v)
    {
        if (keys.Count > MaxKeys)
        {
            v.Add("sshAuthorizedKeys", $"are {keys.Count}; at most {MaxKeys} are allowed");
        }

        for (var i = 0; i < keys.Count; i++)
        {
            if (!IsPublicKey(keys[i]))
            {
                // It may be a private key, so it is not repeated.
                v.Add($"sshAuthorizedKeys[{i}]", "is no line of a public key: 'ssh-ed25519 AAAA… comment', as in a file that ends with .pub, without options in front");
            }
        }
    }

    /// <summary>RFC 4253, 6.6: the key's bytes begin with the length of its type, and the type.</summary>
    private static bool IsPublicKey(string line)
    {
        var words = line.Split(' ', 3);
        if (words.Length < 2 || line.Any(char.IsControl) || !KeyTypes.Contains(words[0]) || !Base64.IsValid(words[1]))
        {
            return false;
        }

        var key = Convert.FromBase64String(words[1]);
        var type = Encoding.ASCII.GetBytes(words[0]);
        return key.Length > 4 + type.Length && BinaryPrimitives.ReadUInt32BigEndian(key) == type.Length && key.AsSpan(4, type.Length).SequenceEqual(type);
    }

    private static string Short(string text) => text.Length <= 64 ? text : text[..64] + "…";
}
