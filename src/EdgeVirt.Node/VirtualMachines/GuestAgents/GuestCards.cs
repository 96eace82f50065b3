using System.Net;
using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Node.VirtualMachines.GuestAgents;

/// <summary>What of a guest's words about its network cards is told. Pure.</summary>
internal static class GuestCards
{
    private const int MostOfACard = 16;

    /// <summary>The addresses of the cards that the machine has; what the guest says of others (bridges, tunnels, inventions) is left out.</summary>
    public static IReadOnlyList<VirtualInterfaceStatus> Of(IReadOnlyList<VmCard> cards, IReadOnlyList<(string MacAddress, IPAddress Address)> told) =>
    [
        .. cards.Select(card => new VirtualInterfaceStatus
        {
            Name = card.Name,
            MacAddress = card.MacAddress.ToLowerInvariant(),
            // In an order of their own, so that a guest that tells them in another one changes nothing.
            Addresses =
            [
                .. told.Where(one => string.Equals(one.MacAddress, card.MacAddress, StringComparison.OrdinalIgnoreCase) && !one.Address.IsIPv6LinkLocal)
                    .OrderBy(one => one.Address.AddressFamily).ThenBy(one => one.Address.ToString(), StringComparer.Ordinal)
                    .Select(one => one.Address.ToString()).Distinct().Take(MostOfACard),
            ],
        }),
    ];
}
