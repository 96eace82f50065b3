using System.Globalization;
using System.Text;

namespace EdgeVirt.Node.Networks;

/// <summary>A node port that leads to an address and port on the bridge.</summary>
/// <param name="Protocol">tcp or udp.</param>
/// <param name="HostPort">The node's port.</param>
/// <param name="Address">On the bridge.</param>
/// <param name="Port">There.</param>
/// <param name="HostAddress">Which of the node's addresses; null: all.</param>
internal sealed record Forward(string Protocol, int HostPort, string Address, int Port, string? HostAddress = null)
{
    /// <summary>Whether only one of the two can be published.</summary>
    public bool Excludes(Forward other) =>
        Protocol == other.Protocol && HostPort == other.HostPort && (HostAddress is null || other.HostAddress is null || HostAddress == other.HostAddress);

    public override string ToString() => $"{(HostAddress is null ? "" : HostAddress + ":")}{HostPort}/{Protocol}";
}

/// <summary>
/// The nft table <c>edgevirt</c>, as text for <c>nft -f -</c>. Published ports are elements of maps, so that
/// publishing one costs the same however many there are, and a whole set is replaced in one transaction.
/// </summary>
internal static class FirewallRules
{
    public const string Table = "edgevirt";

    /// <summary>Where the name server listens on the bridge's address; its port 53 leads there.</summary>
    public const int NamesPort = 10053;

    /// <summary>Replaces the table and all that is published by it, at once.</summary>
    public static string Everything(string bridge, string gateway, string subnet, IEnumerable<Forward> forwards)
    {
        var text = new StringBuilder();
        // Adding before deleting makes deleting safe where the table does not exist yet.
        text.Append(CultureInfo.InvariantCulture, $$"""
            table ip {{Table}} {}
            delete table ip {{Table}}
            table ip {{Table}} {
              map tcp_ports { type inet_service : ipv4_addr . inet_service; }
              map udp_ports { type inet_service : ipv4_addr . inet_service; }
              map tcp_address_ports { type ipv4_addr . inet_service : ipv4_addr . inet_service; }
              map udp_address_ports { type ipv4_addr . inet_service : ipv4_addr . inet_service; }
              chain publish {
                ip daddr {{gateway}} udp dport 53 dnat to {{gateway}}:{{NamesPort}}
                ip daddr {{gateway}} tcp dport 53 dnat to {{gateway}}:{{NamesPort}}
                dnat ip to ip daddr . tcp dport map @tcp_address_ports
                dnat ip to ip daddr . udp dport map @udp_address_ports
                dnat ip to tcp dport map @tcp_ports
                dnat ip to udp dport map @udp_ports
              }
              chain guard {
                type filter hook prerouting priority raw; policy accept;
                iifname != "lo" ip daddr 127.0.0.0/8 drop
                iifname != { "lo", "{{bridge}}" } ip daddr {{gateway}} drop
              }
              chain prerouting {
                type nat hook prerouting priority dstnat; policy accept;
                fib daddr type local jump publish
              }
              chain output {
                type nat hook output priority -100; policy accept;
                fib daddr type local jump publish
              }
              chain postrouting {
                type nat hook postrouting priority srcnat; policy accept;
                ip saddr {{subnet}} oifname != "{{bridge}}" masquerade
                ip saddr 127.0.0.0/8 oifname "{{bridge}}" masquerade
                oifname "{{bridge}}" ip saddr {{subnet}} ip daddr {{subnet}} ct status dnat masquerade
              }
            }

            """);
        foreach (var forward in forwards)
        {
            text.Append(Add(forward));
        }

        return text.ToString();
    }

    public static string Add(IEnumerable<Forward> forwards) => string.Concat(forwards.Select(Add));

    // Adding first makes deleting safe where it was not published yet.
    public static string Delete(IEnumerable<Forward> forwards) =>
        string.Concat(forwards.Select(forward => $"{Add(forward)}delete element ip {Table} {KeyOf(forward)} }}\n"));

    /// <summary>Puts the ones in place of the others at once: no packet meets neither.</summary>
    public static string Replace(IEnumerable<Forward> before, IEnumerable<Forward> after) => Delete(before) + Add(after);

    private static string Add(Forward forward) => $"add element ip {Table} {KeyOf(forward)} : {forward.Address} . {forward.Port} }}\n";

    private static string KeyOf(Forward forward) => forward.HostAddress is { } address
        ? $"{forward.Protocol}_address_ports {{ {address} . {forward.HostPort}"
        : $"{forward.Protocol}_ports {{ {forward.HostPort}";
}
