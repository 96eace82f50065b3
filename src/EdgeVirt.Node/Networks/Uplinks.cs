using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using System.Text;

namespace EdgeVirt.Node.Networks;

/// <summary>Which of the board's links leads to an address, and what it costs.</summary>
internal sealed class Uplinks(IReadOnlyList<UplinkOptions> declared, string classDirectory = "/sys/class/net")
{
    /// <summary>What a modem costs that nobody spoke of: more than nothing, so that a limit of 0 keeps off it on any board.</summary>
    public const int UndeclaredModemCost = 10;

    private const int SolSocket = 1;
    private const int SoBindToDevice = 25;

    /// <summary>As declared, the first entry that fits; else <see cref="UndeclaredModemCost"/> for a modem and 0 for everything else.</summary>
    public int CostOf(string networkInterface) =>
        declared.FirstOrDefault(uplink => uplink.Names(networkInterface))?.Cost ?? (IsModem(networkInterface) ? UndeclaredModemCost : 0);

    /// <summary>The interface by which the kernel would send to an address at this moment.</summary>
    /// <exception cref="SocketException">No route leads there.</exception>
    public static string InterfaceTo(IPAddress address)
    {
        // Connecting a datagram socket asks the routing table and sends nothing.
        using var question = new Socket(address.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
        question.Connect(address, 9);
        var local = ((IPEndPoint)question.LocalEndPoint!).Address;
        return InterfaceOf(local.Equals(address) ? IPAddress.Loopback : local);
    }

    /// <summary>Keeps a socket's packets on one interface, whatever the routes become.</summary>
    public static void Bind(Socket socket, string networkInterface) =>
        socket.SetRawSocketOption(SolSocket, SoBindToDevice, Encoding.ASCII.GetBytes(networkInterface));

    private static string InterfaceOf(IPAddress local)
    {
        foreach (var networkInterface in NetworkInterface.GetAllNetworkInterfaces())
        {
            if (networkInterface.GetIPProperties().UnicastAddresses.Any(own => own.Address.Equals(local)))
            {
                return networkInterface.Name;
            }
        }

        throw new SocketException((int)SocketError.NetworkUnreachable);
    }

    private bool IsModem(string networkInterface)
    {
        try
        {
            return File.ReadLines(Path.Combine(classDirectory, networkInterface, "uevent")).Any(line => line is "DEVTYPE=wwan" or "DEVTYPE=ppp")
                || File.ReadAllText(Path.Combine(classDirectory, networkInterface, "type")).Trim() == "512"; // ARPHRD_PPP
        }
        catch (Exception gone) when (gone is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }
}
