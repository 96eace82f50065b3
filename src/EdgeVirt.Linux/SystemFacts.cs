using System.Globalization;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace EdgeVirt.Linux;

/// <summary>What the machine says of itself in /proc, /sys and /etc.</summary>
public static class SystemFacts
{
    /// <summary>amd64, arm64 or arm, as in image manifests.</summary>
    public static string Architecture => RuntimeInformation.OSArchitecture switch
    {
        System.Runtime.InteropServices.Architecture.X64 => "amd64",
        System.Runtime.InteropServices.Architecture.Arm64 => "arm64",
        System.Runtime.InteropServices.Architecture.Arm => "arm",
        var other => other.ToString().ToLowerInvariant(),
    };

    /// <summary>Release of the running kernel.</summary>
    public static string? Kernel => Line("/proc/sys/kernel/osrelease");

    /// <summary>PRETTY_NAME of os-release.</summary>
    public static string? OperatingSystem => PrettyName("/etc/os-release") ?? PrettyName("/usr/lib/os-release");

    /// <summary>Changes with each boot.</summary>
    public static string? BootId => Line("/proc/sys/kernel/random/boot_id");

    /// <summary>Board name that the image wrote, else the model that firmware names.</summary>
    public static string? Board => NameOf("/etc/edgevirt/board.json") ?? Line("/etc/edgevirt/board") ?? Line("/proc/device-tree/model") ?? Line("/sys/class/dmi/id/product_name");

    /// <summary>The board's serial number, where firmware gives one.</summary>
    public static string? SerialNumber => Line("/proc/device-tree/serial-number") ?? Line("/sys/class/dmi/id/product_serial");

    /// <summary>CPUs online.</summary>
    public static int CpuCount => Environment.ProcessorCount;

    /// <summary>Memory, bytes.</summary>
    public static long MemoryBytes => Memory("MemTotal:");

    /// <summary>Memory that programs could still get without anything being swapped, bytes.</summary>
    public static long AvailableMemoryBytes => Memory("MemAvailable:");

    /// <summary>Size of the file system that holds <paramref name="path"/>, bytes.</summary>
    public static long DiskBytes(string path) => new DriveInfo(path).TotalSize;

    /// <summary>Addresses of interfaces that are up, other than loopback and link-local, ordered by interface.</summary>
    public static IReadOnlyList<string> Addresses()
    {
        var addresses = new List<string>();
        foreach (var link in NetworkInterface.GetAllNetworkInterfaces().OrderBy(link => link.Name, StringComparer.Ordinal))
        {
            if (link.OperationalStatus is OperationalStatus.Down || link.NetworkInterfaceType == NetworkInterfaceType.Loopback)
            {
                continue;
            }

            foreach (var address in link.GetIPProperties().UnicastAddresses.Select(unicast => unicast.Address))
            {
                var linkLocal = address.AddressFamily == AddressFamily.InterNetworkV6
                    ? address.IsIPv6LinkLocal
                    : address.GetAddressBytes() is [169, 254, ..];
                if (!linkLocal)
                {
                    addresses.Add(address.ToString());
                }
            }
        }

        return addresses;
    }

    private static long Memory(string key)
    {
        foreach (var line in File.ReadLines("/proc/meminfo"))
        {
            if (line.StartsWith(key, StringComparison.Ordinal))
            {
                return long.Parse(line.AsSpan(key.Length).Trim().TrimEnd("kB ").ToString(), CultureInfo.InvariantCulture) << 10;
            }
        }

        return 0;
    }

    private static string? PrettyName(string path)
    {
        if (!File.Exists(path))
        {
            return null;
        }

        const string Key = "PRETTY_NAME=";
        return File.ReadLines(path).FirstOrDefault(line => line.StartsWith(Key, StringComparison.Ordinal))?[Key.Length..].Trim('"', '\'');
    }

    private static string? NameOf(string path)
    {
        try
        {
            return File.Exists(path) ? JsonNode.Parse(File.ReadAllBytes(path))?["name"]?.GetValue<string>() : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException or InvalidOperationException)
        {
            return null;
        }
    }

    // Files of firmware may be missing, unreadable or end in a zero byte.
    private static string? Line(string path)
    {
        try
        {
            return File.Exists(path) && File.ReadAllText(path).Trim('\0', '\n', ' ') is { Length: > 0 } text ? text : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
