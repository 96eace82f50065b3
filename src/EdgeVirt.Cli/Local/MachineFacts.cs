using System.Globalization;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using EdgeVirt.Linux;

namespace EdgeVirt.Cli.Local;

/// <summary>What this machine says of itself without its agent.</summary>
internal sealed record MachineFacts
{
    /// <summary>Host name.</summary>
    public required string Host { get; init; }

    /// <summary>As firmware or image name it.</summary>
    public string? Board { get; init; }

    public string? SerialNumber { get; init; }

    public required NodeImage Image { get; init; }

    /// <summary>PRETTY_NAME, for what runs no node image.</summary>
    public string? OperatingSystem { get; init; }

    public required IReadOnlyList<LinkFacts> Links { get; init; }

    public required TimeSpan UpTime { get; init; }

    /// <summary>Reads them.</summary>
    public static MachineFacts Read() => new()
    {
        Host = Environment.MachineName,
        Board = SystemFacts.Board,
        SerialNumber = SystemFacts.SerialNumber,
        OperatingSystem = SystemFacts.OperatingSystem,
        Image = NodeImage.Read(),
        Links = LinkFacts.Read(),
        UpTime = ReadUpTime(),
    };

    private static TimeSpan ReadUpTime()
    {
        try
        {
            return TimeSpan.FromSeconds(double.Parse(File.ReadAllText("/proc/uptime").Split(' ')[0], CultureInfo.InvariantCulture));
        }
        catch (Exception e) when (e is IOException or FormatException or UnauthorizedAccessException)
        {
            return TimeSpan.Zero;
        }
    }
}

/// <summary>A network interface.</summary>
/// <param name="Name">Its name.</param>
/// <param name="IsUp">Whether it has a link.</param>
/// <param name="IsUplink">Whether the default route leads through it.</param>
/// <param name="Addresses">With prefix lengths; those that hold on one link alone left out.</param>
internal sealed record LinkFacts(string Name, bool IsUp, bool IsUplink, IReadOnlyList<string> Addresses)
{
    /// <summary>Those that a technician may have to do with: the board's own, and others that have addresses, but not those of workloads.</summary>
    public static IReadOnlyList<LinkFacts> Read()
    {
        var uplink = DefaultRoutes.Interface();
        List<LinkFacts> links = [];
        foreach (var link in NetworkInterface.GetAllNetworkInterfaces().OrderBy(link => link.Name, StringComparer.Ordinal))
        {
            var addresses = AddressesOf(link);
            var isBoards = Directory.Exists($"/sys/class/net/{link.Name}/device");
            var isOfWorkloads = link.Name == "evbr0" || File.Exists($"/sys/class/net/{link.Name}/brport/state");
            if (link.NetworkInterfaceType != NetworkInterfaceType.Loopback && !isOfWorkloads && (isBoards || addresses.Count > 0))
            {
                links.Add(new LinkFacts(link.Name, link.OperationalStatus is OperationalStatus.Up or OperationalStatus.Unknown, link.Name == uplink, addresses));
            }
        }

        return links;
    }

    private static List<string> AddressesOf(NetworkInterface link) =>
    [
        .. link.GetIPProperties().UnicastAddresses
            .Where(unicast => unicast.Address is not { AddressFamily: AddressFamily.InterNetworkV6, IsIPv6LinkLocal: true })
            .OrderBy(unicast => unicast.Address.AddressFamily)
            .Select(unicast => $"{unicast.Address}/{unicast.PrefixLength}"),
    ];
}
