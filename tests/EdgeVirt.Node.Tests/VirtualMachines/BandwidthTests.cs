using System.Net;
using System.Net.Sockets;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Linux;
using EdgeVirt.Node.Networks;
using EdgeVirt.Node.Networks.Names;
using EdgeVirt.Node.Tests.VirtualMachines.Qemu;
using EdgeVirt.Node.VirtualMachines;
using EdgeVirt.Testing;
using Microsoft.Win32.SafeHandles;

namespace EdgeVirt.Node.Tests.VirtualMachines;

/// <summary>Limits of machines' network cards, with packets through a real link; the test is the guest.</summary>
[Category("root")]
public sealed class BandwidthTests
{
    private const string Mac = "52:54:00:00:00:01";
    private const int OffloadHeader = 10;
    private const int PacketBytes = 1000;
    private const long BitsPerSecond = 2_000_000;
    private static readonly TimeSpan Busy = TimeSpan.FromSeconds(2);

    private TempDirectory directory = null!;
    private NodeOptions options = null!;
    private NodeNetwork network = null!;
    private VmNetwork machines = null!;
    private VmRecord record = null!;
    private IReadOnlyList<SafeFileHandle> taps = [];
    private FileStream? guest;

    private string Host => directory.Combine("host.netns");

    private string Tap => NodeNetwork.TapOf(record.Id, "lan");

    [SetUp]
    public async Task SetUp()
    {
        directory = new TempDirectory();
        options = new NodeOptions { DataDir = directory.Subdirectory("data"), RunDir = directory.Subdirectory("run") };
        NetworkNamespaces.Create(Host);
        network = new NodeNetwork(options, Host);
        machines = new VmNetwork(network, new MachineLeases());
        await network.RecoverAsync([], default);
    }

    [TearDown]
    public void TearDown()
    {
        guest?.Dispose();
        network.Dispose();
        NetworkNamespaces.Delete(Host);
        directory.Dispose();
    }

    [Test]
    public async Task What_a_guest_gets_and_sends_is_limited_also_after_a_restart_of_the_agent_and_nothing_is_left_of_it()
    {
        await ConnectAsync(new VirtualBandwidth { Ingress = Guests.QuantityOf("2M"), Egress = Guests.QuantityOf("2M") });
        await ExpectLimitedAsync();

        // Somebody has removed the limits while no agent was there.
        await TcAsync("qdisc", "delete", "dev", Tap, "root");
        await TcAsync("qdisc", "delete", "dev", Tap, "ingress");
        Assert.That(await ReceivedBitsPerSecondAsync(), Is.GreaterThan(2 * BitsPerSecond));
        using (var next = new NodeNetwork(options, Host))
        {
            var adopting = new VmNetwork(next, new MachineLeases());
            await next.RecoverAsync([], default);
            await adopting.AdoptAsync(record, default);
            await adopting.AdoptAsync(record, default);
        }

        await ExpectLimitedAsync();

        await guest!.DisposeAsync();
        await machines.DisconnectAsync(record, default);
        Assert.That((await network.RunAsync("ip", ["-brief", "link", "show"], TimeSpan.FromSeconds(10), default)).Output, Does.Not.Contain(Tap).And.Not.Contain(NodeNetwork.ShaperOf(Tap)));
        await machines.DisconnectAsync(record, default);
    }

    [Test]
    public async Task One_direction_alone_can_be_limited()
    {
        await ConnectAsync(new VirtualBandwidth { Egress = Guests.QuantityOf("2M") });
        Assert.That(await SentBitsPerSecondAsync(), Is.LessThan(1.3 * BitsPerSecond));
        Assert.That(await ReceivedBitsPerSecondAsync(), Is.GreaterThan(2 * BitsPerSecond));
    }

    [Test]
    public async Task Without_limits_nothing_is_set()
    {
        await ConnectAsync(null);
        Assert.That((await network.RunAsync("tc", ["qdisc", "show", "dev", Tap], TimeSpan.FromSeconds(10), default)).Output, Does.Not.Contain("tbf").And.Not.Contain("ingress"));
        Assert.That(await ReceivedBitsPerSecondAsync(), Is.GreaterThan(2 * BitsPerSecond));
        Assert.That(await SentBitsPerSecondAsync(), Is.GreaterThan(2 * BitsPerSecond));
    }

    private async Task ExpectLimitedAsync()
    {
        // No more than the rate and the burst at its beginning, and no less than half: the bucket is used.
        Assert.That(await ReceivedBitsPerSecondAsync(), Is.GreaterThan(0.5 * BitsPerSecond).And.LessThan(1.3 * BitsPerSecond), "to the guest");
        Assert.That(await SentBitsPerSecondAsync(), Is.GreaterThan(0.5 * BitsPerSecond).And.LessThan(1.3 * BitsPerSecond), "from the guest");
    }

    private async Task ConnectAsync(VirtualBandwidth? bandwidth)
    {
        record = new VmRecord { Id = "router-01234567", Name = "router", Uid = "01234567-router", User = 1 };
        var spec = new VirtualMachineSpec
        {
            Memory = new VirtualMemorySpec { Size = Guests.QuantityOf("256Mi") },
            Interfaces = [new VirtualInterfaceSpec { Name = "lan", MacAddress = Mac, Bandwidth = bandwidth }],
        };
        record = record with { Cards = await machines.PlanAsync(spec, "n1", record, default) };
        taps = await machines.ConnectAsync(record, default);
        guest = new FileStream(taps.Single(), FileAccess.ReadWrite, bufferSize: 0);
        await network.RunAsync("ip", ["neighbour", "replace", record.Cards.Single().Address, "lladdr", Mac, "dev", NodeNetwork.Bridge], TimeSpan.FromSeconds(10), default);
    }

    private Task<ProcessResult> TcAsync(params string[] args) => network.RunAsync("tc", args, TimeSpan.FromSeconds(10), default);

    // The node sends as fast as it can; the guest counts what arrives.
    private async Task<double> ReceivedBitsPerSecondAsync()
    {
        using var stop = new CancellationTokenSource();
        using var socket = NetworkNamespaces.Run(Host, () => new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp));
        var target = new IPEndPoint(IPAddress.Parse(record.Cards.Single().Address), 9);
        var sending = Task.Run(async () =>
        {
            var packet = new byte[PacketBytes];
            while (!stop.IsCancellationRequested)
            {
                try
                {
                    socket.SendTo(packet, target);
                }
                catch (SocketException)
                {
                    // The queue is full.
                }

                // Leaves the processor to who reads.
                await Task.Yield();
                Thread.SpinWait(2000);
            }
        });
        var bits = 0L;
        var buffer = new byte[65_600];
        Drain(buffer);
        var began = TimeProvider.System.GetTimestamp();
        while (TimeProvider.System.GetElapsedTime(began) < Busy)
        {
            if (ReadFrame(buffer) is var read and > PacketBytes)
            {
                bits += (read - OffloadHeader) * 8L;
            }
            else
            {
                await Task.Delay(1);
            }
        }

        var elapsed = TimeProvider.System.GetElapsedTime(began).TotalSeconds;
        await stop.CancelAsync();
        await sending;
        return bits / elapsed;
    }

    // The guest sends as fast as it can; the bridge counts what arrives from its port.
    private async Task<double> SentBitsPerSecondAsync()
    {
        using var socket = NetworkNamespaces.Run(Host, () =>
        {
            var made = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp) { ReceiveBufferSize = 1 << 20 };
            made.Bind(new IPEndPoint(IPAddress.Any, 4000));
            return made;
        });
        var frame = await FrameAsync();
        var bits = 0L;
        var buffer = new byte[2 * PacketBytes];
        var began = TimeProvider.System.GetTimestamp();
        while (TimeProvider.System.GetElapsedTime(began) < Busy)
        {
            for (var i = 0; i < 16; i++)
            {
                guest!.Write(frame);
            }

            while (socket.Available > 0)
            {
                bits += (socket.Receive(buffer) + 42) * 8L;
            }

            await Task.Delay(1);
        }

        return bits / TimeProvider.System.GetElapsedTime(began).TotalSeconds;
    }

    private void Drain(byte[] buffer)
    {
        while (ReadFrame(buffer) > 0)
        {
        }
    }

    // Zero: nothing is there.
    private int ReadFrame(byte[] buffer)
    {
        try
        {
            return guest!.Read(buffer);
        }
        catch (IOException)
        {
            return 0;
        }
    }

    private static byte[] BytesOf(string mac) => [.. mac.Split(':').Select(part => Convert.ToByte(part, 16))];

    // A datagram from the guest to the node, with the header of offloads before it and without checksums of UDP.
    private async Task<byte[]> FrameAsync()
    {
        // evbr0 UP 02:42:… <BROADCAST,…>
        var bridge = (await network.RunAsync("ip", ["-brief", "link", "show", "dev", NodeNetwork.Bridge], TimeSpan.FromSeconds(10), default)).Output.Split(' ', StringSplitOptions.RemoveEmptyEntries)[2];
        var frame = new byte[OffloadHeader + 14 + 28 + PacketBytes];
        var at = frame.AsSpan(OffloadHeader);
        BytesOf(bridge).CopyTo(at);
        BytesOf(Mac).CopyTo(at[6..]);
        (at[12], at[13]) = (8, 0);
        var ip = at[14..];
        (ip[0], ip[8], ip[9]) = (0x45, 64, 17);
        System.Buffers.Binary.BinaryPrimitives.WriteUInt16BigEndian(ip[2..], 28 + PacketBytes);
        IPAddress.Parse(record.Cards.Single().Address).GetAddressBytes().CopyTo(ip[12..]);
        IPAddress.Parse(network.Gateway).GetAddressBytes().CopyTo(ip[16..]);
        var sum = 0u;
        for (var i = 0; i < 20; i += 2)
        {
            sum += System.Buffers.Binary.BinaryPrimitives.ReadUInt16BigEndian(ip[i..]);
        }

        System.Buffers.Binary.BinaryPrimitives.WriteUInt16BigEndian(ip[10..], (ushort)~((sum & 0xffff) + (sum >> 16)));
        var udp = ip[20..];
        System.Buffers.Binary.BinaryPrimitives.WriteUInt16BigEndian(udp, 4000);
        System.Buffers.Binary.BinaryPrimitives.WriteUInt16BigEndian(udp[2..], 4000);
        System.Buffers.Binary.BinaryPrimitives.WriteUInt16BigEndian(udp[4..], 8 + PacketBytes);
        return frame;
    }
}
