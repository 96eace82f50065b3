using System.Collections.Concurrent;
using System.Text;

namespace EdgeVirt.Node.Networks.Names;

/// <summary>A network card of a virtual machine and the address that it gets when it asks (DHCP).</summary>
/// <param name="MacAddress">On the wire.</param>
/// <param name="Address">On the bridge.</param>
internal sealed record MachineLease(string MacAddress, string Address);

/// <summary>Which cards of virtual machines get which addresses: told by the machines' owners, served by the node's dnsmasq. Safe for use by several threads.</summary>
internal sealed class MachineLeases
{
    private readonly ConcurrentDictionary<string, IReadOnlyList<MachineLease>> leases = new();

    /// <summary>Raised when they changed, on any thread.</summary>
    public event Action? Changed;

    public bool IsEmpty => leases.IsEmpty;

    /// <summary>A machine's cards; none: it has none any more.</summary>
    public void Set(string id, IReadOnlyList<MachineLease> cards)
    {
        var isChanged = cards.Count > 0
            ? !leases.TryGetValue(id, out var before) || !before.SequenceEqual(cards)
            : leases.TryRemove(id, out _);
        if (cards.Count > 0)
        {
            leases[id] = cards;
        }

        if (isChanged)
        {
            Changed?.Invoke();
        }
    }

    /// <summary>As dnsmasq's <c>--dhcp-hostsfile</c> has them: card and address.</summary>
    public string HostsFile()
    {
        var text = new StringBuilder();
        foreach (var lease in leases.Values.SelectMany(cards => cards).OrderBy(lease => lease.Address, StringComparer.Ordinal))
        {
            text.Append(System.Globalization.CultureInfo.InvariantCulture, $"{lease.MacAddress},{lease.Address}\n");
        }

        return text.ToString();
    }
}
