namespace EdgeVirt.Contracts.Resources;

/// <summary>One of a virtual machine's network cards, as the guest's own agent tells. The guest's words: to be shown, not to be relied on.</summary>
public sealed record VirtualInterfaceStatus
{
    /// <summary>The card's name in the machine's spec.</summary>
    public required string Name { get; init; }

    /// <summary>Its hardware address, lower-case.</summary>
    public required string MacAddress { get; init; }

    /// <summary>The addresses that the guest has given it, up to 16 and none that hold on the link alone, in order.</summary>
    public IReadOnlyList<string> Addresses { get; init => field = value ?? []; } = [];
}
