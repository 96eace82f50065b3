using System.Text;
using System.Text.Json;
using EdgeVirt.Contracts.Boards;

namespace EdgeVirt.Node.Boards;

/// <summary>A file to write.</summary>
/// <param name="Path">Relative to /run.</param>
/// <param name="Text">Its content.</param>
/// <param name="IsSecret">Only root may read it.</param>
internal sealed record PreparedFile(string Path, string Text, bool IsSecret = false);

/// <summary>
/// Settings as files of systemd-networkd, systemd-timesyncd and wpa_supplicant, so that the network comes up without the agent. Names begin with
/// <see cref="Prefix"/> behind their order; the first file that matches an interface counts (systemd.network(5)).
/// </summary>
internal static class NetworkFiles
{
    /// <summary>What names of these files have behind their number.</summary>
    public const string Prefix = "-edgevirt-";

    /// <summary>Directories below /run, all of whose files with <see cref="Prefix"/> are the preparation's.</summary>
    public static readonly IReadOnlyList<string> Directories = ["systemd/network", "systemd/networkd.conf.d", "systemd/timesyncd.conf.d", "edgevirt/board"];

    private const int WiredMetric = 100;
    private const int WifiMetric = 600;

    // The name that the board was given is not for a DHCP server to change. A wireless link may be the only one: no wait for others.
    private const string Dynamic = """
        DHCP=yes
        IPv6AcceptRA=yes

        """;

    /// <summary>All of them.</summary>
    public static IReadOnlyList<PreparedFile> Of(BoardSettings settings)
    {
        List<PreparedFile> files =
        [
            // The agent makes routes and rules of its own for workloads; networkd would take them for leftovers.
            new("systemd/networkd.conf.d/50-edgevirt-foreign.conf", "[Network]\nManageForeignRoutes=no\nManageForeignRoutingPolicyRules=no\n"),
            new("systemd/network/80-edgevirt-wired.network", $"[Match]\nType=ether\nKind=!*\n\n[Network]\n{Dynamic}{Metrics(WiredMetric)}"),
        ];
        foreach (var (i, ethernet) in (settings.Ethernet ?? []).Index())
        {
            var order = ethernet.Interface is null ? 20 : 10;
            files.Add(new($"systemd/network/{order}-edgevirt-static-{i}.network", Static(ethernet)));
        }

        if (settings.Wifi is { } wifi)
        {
            files.Add(new("systemd/network/80-edgevirt-wifi.network", $"[Match]\nType=wlan\n\n[Network]\n{Dynamic}IgnoreCarrierLoss=5s\n{Metrics(WifiMetric)}"));
            files.Add(new("edgevirt/board/wpa_supplicant.conf", Supplicant(wifi), IsSecret: true));
        }

        if (settings.Cellular is { } cellular)
        {
            files.Add(new("edgevirt/board/cellular.json", JsonSerializer.Serialize(cellular, BoardSettingsJson.Default.CellularSettings), IsSecret: true));
        }

        if (settings.TimeServers is { Count: > 0 } servers)
        {
            files.Add(new("systemd/timesyncd.conf.d/50-edgevirt-time.conf", $"[Time]\nNTP={string.Join(' ', servers)}\n"));
        }

        return files;
    }

    private static string Static(EthernetSettings ethernet)
    {
        var text = new StringBuilder(ethernet.Interface is { } name ? $"[Match]\nName={name}\n" : "[Match]\nType=ether\nKind=!*\n");
        var isDynamic = ethernet.Addresses.Count == 0;
        text.Append("\n[Network]\n").Append(isDynamic ? Dynamic : $"DHCP=no\nIPv6AcceptRA={(ethernet.Gateway?.Contains(':') == true ? "no" : "yes")}\n");
        foreach (var address in ethernet.Addresses)
        {
            text.Append($"Address={address}\n");
        }

        foreach (var server in ethernet.NameServers ?? [])
        {
            text.Append($"DNS={server}\n");
        }

        if (ethernet.Gateway is { } gateway)
        {
            text.Append($"\n[Route]\nGateway={gateway}\nMetric={WiredMetric}\n");
        }

        if (isDynamic)
        {
            text.Append(Metrics(WiredMetric));
        }

        return text.ToString();
    }

    private static string Metrics(int metric) =>
        $"\n[DHCPv4]\nUseHostname=no\nRouteMetric={metric}\n\n[DHCPv6]\nUseHostname=no\n\n[IPv6AcceptRA]\nRouteMetric={metric}\n";

    // The name in hexadecimal needs no quotes. A quoted passphrase ends at the last quote of its line (wpa_supplicant.conf(5)).
    private static string Supplicant(WifiSettings wifi)
    {
        var key = wifi.Passphrase switch
        {
            null => "key_mgmt=NONE",
            { Length: 64 } digits => $"key_mgmt=WPA-PSK WPA-PSK-SHA256\n  psk={digits}\n  ieee80211w=1",
            var passphrase => $"key_mgmt=WPA-PSK WPA-PSK-SHA256 SAE\n  psk=\"{passphrase}\"\n  ieee80211w=1",
        };
        return $"country={wifi.Country}\n\nnetwork={{\n  ssid={Convert.ToHexStringLower(Encoding.UTF8.GetBytes(wifi.Ssid))}\n  scan_ssid=1\n  {key}\n}}\n";
    }
}
