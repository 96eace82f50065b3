using System.Net;
using System.Net.Sockets;

namespace EdgeVirt.Contracts.Resources;

internal static partial class WorkloadValidation
{
    private const int MaxPort = 65_535;

    internal static void ValidatePorts(IReadOnlyList<ContainerPort> ports, string path, bool hostNetwork, List<ContainerPort> published, Validation v)
    {
        for (var i = 0; i < ports.Count; i++)
        {
            var port = ports[i];
            var at = $"{path}[{i}]";
            if (port.Port is < 1 or > MaxPort)
            {
                v.Add($"{at}.containerPort", "must be between 1 and 65535");
            }

            ValidateHostAddress(port, $"{at}.hostIP", hostNetwork, v);
            if (port.HostPort is < 1 or > MaxPort)
            {
                v.Add($"{at}.hostPort", "must be between 1 and 65535");
            }
            else if (hostNetwork && port.HostPort is { } host && host != port.Port)
            {
                v.Add($"{at}.hostPort", "must equal containerPort with hostNetwork");
            }
            else if (port.HostPort is not null && published.Exists(other => IsSame(other, port)))
            {
                v.Add($"{at}.hostPort", $"{port.HostPort}/{port.Protocol} is published twice{(port.HostAddress() is { } address ? $" on {address}" : "")}");
            }
            else if (port.HostPort is not null)
            {
                published.Add(port);
            }
        }
    }

    private static void ValidateHostAddress(ContainerPort port, string path, bool hostNetwork, Validation v)
    {
        if (port.HostIP is not { } text)
        {
            return;
        }

        if (!IPAddress.TryParse(text, out var address) || (address.AddressFamily == AddressFamily.InterNetwork && address.ToString() != text))
        {
            v.Add(path, $"'{text}' must be an IPv4 address of the node, as 192.168.1.10 or 127.0.0.1");
        }
        else if (address.AddressFamily != AddressFamily.InterNetwork)
        {
            v.Add(path, "must be an IPv4 address: ports are not published on IPv6");
        }
        else if (port.HostPort is null && !hostNetwork)
        {
            v.Add(path, "needs hostPort: without it nothing is published");
        }
    }

    private static bool IsSame(ContainerPort one, ContainerPort other) =>
        one.HostPort == other.HostPort && one.Protocol == other.Protocol &&
        (one.HostAddress() is null || other.HostAddress() is null || one.HostAddress() == other.HostAddress());
}
