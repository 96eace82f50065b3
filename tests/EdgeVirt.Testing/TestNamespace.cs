using System.Globalization;
using System.Net;

namespace EdgeVirt.Testing;

/// <summary>A network namespace with one link to its network's bridge: the place of one node.</summary>
public sealed class TestNamespace
{
    private readonly string hostLink;

    internal TestNamespace(TestNetwork network, int number, IPAddress address)
    {
        Name = string.Create(CultureInfo.InvariantCulture, $"{network.Name}n{number}");
        hostLink = string.Create(CultureInfo.InvariantCulture, $"{network.Name}h{number}");
        Address = address;
        Command.Run("ip", "netns", "add", Name);
        Command.Run("ip", "link", "add", hostLink, "type", "veth", "peer", "name", "eth0", "netns", Name);
        Command.Run("ip", "link", "set", hostLink, "master", network.Bridge, "up");
        Command.Run("ip", "-n", Name, "link", "set", "lo", "up");
        Command.Run("ip", "-n", Name, "address", "add", $"{address}/24", "dev", "eth0");
        Command.Run("ip", "-n", Name, "link", "set", "eth0", "up");
        Command.Run("ip", "-n", Name, "route", "add", "default", "via", network.HostAddress.ToString());
    }

    /// <summary>Name below /run/netns.</summary>
    public string Name { get; }

    /// <summary>Address on the network's bridge, a /24.</summary>
    public IPAddress Address { get; }

    /// <summary>Pulls the plug: nothing goes in or out.</summary>
    public void Disconnect() => Command.Run("ip", "link", "set", hostLink, "down");

    /// <summary>Puts it back.</summary>
    public void Connect() => Command.Run("ip", "link", "set", hostLink, "up");

    /// <summary>Runs a short program in the namespace.</summary>
    /// <returns>Its standard output.</returns>
    public string Run(string file, params IReadOnlyList<string> arguments) => Command.Run("nsenter", [$"--net=/run/netns/{Name}", "--", file, .. arguments]);
}
