using System.Buffers.Binary;
using System.Net;

namespace EdgeVirt.Node.Networks;

/// <summary>No address is left in the node's subnet.</summary>
internal sealed class AddressesExhaustedException(string subnet)
    : Exception($"every address of {subnet} is taken; give the node a larger workloadSubnet");

/// <summary>
/// The addresses of the node's workload subnet. The first is the bridge's. A freed address is given again as late as
/// possible, so that nobody talks to a newcomer for its predecessor. Not thread-safe.
/// </summary>
internal sealed class AddressPool
{
    private readonly HashSet<uint> taken = [];
    private readonly uint first;
    private readonly uint last;
    private uint next;

    public AddressPool(string subnet)
    {
        var network = IPNetwork.Parse(subnet);
        PrefixLength = network.PrefixLength;
        Subnet = network.ToString();
        var start = BinaryPrimitives.ReadUInt32BigEndian(network.BaseAddress.GetAddressBytes());
        var end = start + (uint)((1L << (32 - PrefixLength)) - 1);
        Gateway = Text(start + 1);
        first = next = start + 2;
        last = end - 1;
    }

    /// <summary>With its prefix length.</summary>
    public string Subnet { get; }

    public int PrefixLength { get; }

    /// <summary>The bridge's address.</summary>
    public string Gateway { get; }

    /// <exception cref="AddressesExhaustedException">None is free.</exception>
    public string Take()
    {
        for (var tries = last - first + 1; tries > 0; tries--)
        {
            var candidate = next;
            next = next == last ? first : next + 1;
            if (taken.Add(candidate))
            {
                return Text(candidate);
            }
        }

        throw new AddressesExhaustedException(Subnet);
    }

    /// <summary>Takes a certain address. False: it is taken already or not one of the subnet.</summary>
    public bool TryTake(string address) => Number(address) is { } number && number >= first && number <= last && taken.Add(number);

    public void Free(string address)
    {
        if (Number(address) is { } number)
        {
            taken.Remove(number);
        }
    }

    private static uint? Number(string address) =>
        IPAddress.TryParse(address, out var parsed) && parsed.GetAddressBytes() is { Length: 4 } bytes ? BinaryPrimitives.ReadUInt32BigEndian(bytes) : null;

    private static string Text(uint number)
    {
        Span<byte> bytes = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(bytes, number);
        return new IPAddress(bytes).ToString();
    }
}
