using System.Text.Json.Serialization;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Linux;
using EdgeVirt.Node.Containers;
using EdgeVirt.Node.Networks;
using EdgeVirt.Node.Networks.Names;
using EdgeVirt.Node.VirtualMachines.CloudInit;
using EdgeVirt.Node.VirtualMachines.Qemu;
using Microsoft.Win32.SafeHandles;

namespace EdgeVirt.Node.VirtualMachines;

/// <summary>What a network card may carry, bits per second; null: no limit.</summary>
internal sealed record VmBandwidth(long? Ingress, long? Egress);

/// <summary>A network card of a machine. Written down before it is made.</summary>
/// <param name="Name">Unique within the machine.</param>
/// <param name="MacAddress">On the wire.</param>
/// <param name="Address">On the node's bridge; the guest gets it when it asks.</param>
/// <param name="Ports">Node ports that lead to it.</param>
internal sealed record VmCard(string Name, string MacAddress, string Address, IReadOnlyList<PublishedPort> Ports)
{
    /// <summary>What it may carry; null: no limit.</summary>
    public VmBandwidth? Bandwidth { get; init; }

    [JsonIgnore]
    public QemuNic Nic => new(MacAddress);

    [JsonIgnore]
    public SeedInterface Seed => new(Name, MacAddress);

    // Two of the same are equal, whatever lists their ports are in.
    public bool Equals(VmCard? other) =>
        other is not null && (Name, MacAddress, Address, Bandwidth) == (other.Name, other.MacAddress, other.Address, other.Bandwidth) && Ports.SequenceEqual(other.Ports);

    public override int GetHashCode() => HashCode.Combine(Name, MacAddress, Address);
}

/// <summary>Machines' places on the node's bridge: addresses, links, published ports.</summary>
internal sealed class VmNetwork(NodeNetwork network, MachineLeases leases)
{
    // What a machine has whose spec says nothing of cards.
    private static readonly VirtualInterfaceSpec[] Default = [new() { Name = "net0" }];

    /// <summary>What a machine is to have; addresses stay with the names of its cards.</summary>
    /// <param name="spec">What is wanted.</param>
    /// <param name="node">The node's name.</param>
    /// <param name="record">What it had.</param>
    /// <param name="ct">Gives up.</param>
    /// <exception cref="AddressesExhaustedException">No address is free.</exception>
    public async Task<IReadOnlyList<VmCard>> PlanAsync(VirtualMachineSpec spec, string node, VmRecord record, CancellationToken ct)
    {
        var wanted = spec.Interfaces ?? Default;
        if (wanted.Any(card => record.Cards.All(one => one.Name != card.Name)))
        {
            // Else it might be that of a workload which has not been found again yet.
            await network.RecoveredAsync(ct);
        }

        foreach (var gone in record.Cards.Where(card => wanted.All(one => one.Name != card.Name)))
        {
            network.Free(gone.Address);
        }

        return
        [
            .. wanted.Select(card => new VmCard(
                card.Name,
                card.MacAddress?.ToLowerInvariant() ?? MachineIdentity.MacOf(node, record.Uid, card.Name),
                record.Cards.FirstOrDefault(one => one.Name == card.Name)?.Address ?? network.Take(null),
                [.. (card.Ports ?? []).Where(port => port.HostPort is not null).Select(port => new PublishedPort(port.HostPort!.Value, port.Port, port.Protocol, port.HostAddress()))])
            {
                Bandwidth = card.Bandwidth is { } bandwidth ? new VmBandwidth((long?)bandwidth.Ingress?.Value, (long?)bandwidth.Egress?.Value) : null,
            }),
        ];
    }

    /// <summary>
    /// Takes back what a machine has since before this run of the agent: its addresses, and where it ran its node ports and what its guest
    /// is told. Before the rules are made and anybody takes an address.
    /// </summary>
    public void Recover(VmRecord record)
    {
        foreach (var card in record.Cards)
        {
            network.Take(card.Address);
        }

        if (record.Run is not null)
        {
            network.Reserve(record.Id, ForwardsOf(record));
            leases.Set(record.Id, LeasesOf(record));
        }
    }

    /// <summary>Publishes the ports of a machine that runs since before this run of the agent, and puts the limits of its cards back. Again is no failure.</summary>
    /// <exception cref="IOException">A tool or the kernel refused.</exception>
    public async Task AdoptAsync(VmRecord record, CancellationToken ct)
    {
        await network.AdoptTapsAsync(record.Id, ct);
        await network.LimitTapsAsync(LimitsOf(record), ct);
    }

    /// <summary>Makes its links, has its guest told its addresses, and publishes its ports.</summary>
    /// <returns>Open links, to be handed to QEMU and closed here.</returns>
    /// <exception cref="VmNotReadyException">A port is somebody else's.</exception>
    /// <exception cref="IOException">A tool or the kernel refused.</exception>
    public async Task<IReadOnlyList<SafeFileHandle>> ConnectAsync(VmRecord record, CancellationToken ct)
    {
        if (network.Reserve(record.Id, ForwardsOf(record)) is { } taken)
        {
            throw new VmNotReadyException(new VmProblem(ReadyReasons.PortTaken, $"node port {taken.Taken} is published by {taken.By} already; choose another hostPort"));
        }

        leases.Set(record.Id, LeasesOf(record));
        var taps = await network.ConnectTapsAsync(record.Id, [.. record.Cards.Select(card => NodeNetwork.TapOf(record.Id, card.Name))], ct);
        try
        {
            await network.LimitTapsAsync(LimitsOf(record), ct);
            return taps;
        }
        catch (Exception e)
        {
            foreach (var tap in taps)
            {
                tap.Dispose();
            }

            throw e is ProcessFailedException
                ? new VmStartException($"the bandwidth of its network cards cannot be limited: {e.Message}; the kernel needs sch_tbf, and for egress ifb, sch_ingress, cls_u32 and act_mirred", e)
                : e;
        }
    }

    /// <summary>Starts something in the network that the bridge is in.</summary>
    public T Inside<T>(Func<T> work) => network.Inside(work);

    /// <summary>Takes back what <see cref="ConnectAsync"/> gave; its addresses stay the machine's.</summary>
    public async Task DisconnectAsync(VmRecord record, CancellationToken ct)
    {
        leases.Set(record.Id, []);
        await network.DisconnectTapsAsync(record.Id, ct);
        await ClearAsync(record, ct);
    }

    /// <summary>Removes what does not go with its links by themselves. Nothing there is no failure.</summary>
    public Task ClearAsync(VmRecord record, CancellationToken ct) =>
        network.RemoveShapersAsync([.. LimitsOf(record).Where(limit => limit.FromGuest is not null).Select(limit => limit.Tap)], ct);

    /// <summary>Lets go of its addresses.</summary>
    public void Release(VmRecord record)
    {
        foreach (var card in record.Cards)
        {
            network.Free(card.Address);
        }
    }

    private static IReadOnlyList<LinkLimit> LimitsOf(VmRecord record) =>
    [
        .. record.Cards.Where(card => card.Bandwidth is not null).Select(card => new LinkLimit(NodeNetwork.TapOf(record.Id, card.Name), card.Bandwidth!.Ingress, card.Bandwidth.Egress)),
    ];

    private static IReadOnlyList<MachineLease> LeasesOf(VmRecord record) => [.. record.Cards.Select(card => new MachineLease(card.MacAddress, card.Address))];

    private static IReadOnlyList<Forward> ForwardsOf(VmRecord record) =>
    [
        .. record.Cards.SelectMany(card => card.Ports.Select(port =>
            new Forward(port.Protocol == PortProtocol.UDP ? "udp" : "tcp", port.HostPort, card.Address, port.Port, port.HostAddress))),
    ];
}
