namespace EdgeVirt.Contracts.Resources;

/// <summary>Huge pages that a virtual machine's memory is made of.</summary>
public sealed record VirtualHugePages
{
    /// <summary>Their size: <c>2Mi</c> or <c>1Gi</c>. The node's administrator has to have set them aside.</summary>
    public required Quantity PageSize { get; init; }
}

/// <summary>What a network card may carry. Both are limits of the card, seen from the guest.</summary>
public sealed record VirtualBandwidth
{
    /// <summary>Most that the guest gets, bits per second, as <c>10M</c>; absent: no limit.</summary>
    public Quantity? Ingress { get; init; }

    /// <summary>Most that the guest sends, bits per second; absent: no limit.</summary>
    public Quantity? Egress { get; init; }
}
