using System.Globalization;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Linux;
using EdgeVirt.Node.Containers.Devices;

namespace EdgeVirt.Node.VirtualMachines.Devices;

/// <summary>Finds USB devices in sysfs, anew each time: they come and go.</summary>
internal sealed class UsbBus(HostRoots roots)
{
    private const string HubClass = "09";
    private readonly NodeUse use = new(roots);

    /// <summary>The one device that fits.</summary>
    /// <exception cref="DeviceMissingException">None does.</exception>
    /// <exception cref="VmNotReadyException">Several do, it is a hub, or the node itself uses it.</exception>
    public HostDevice.Usb Find(string name, VirtualUsbDevice wanted)
    {
        var fitting = Ports().Where(port => Fits(port, wanted)).ToList();
        return fitting switch
        {
            [] => throw new DeviceMissingException($"device '{name}': there is no USB device {Described(wanted)} on the node; plug it in"),
            [var port] when Read(port, "bDeviceClass") == HubClass => throw DeviceProblems.Refused($"device '{name}': {port} is a USB hub, which cannot be handed on; name the device behind it"),
            [var port] when use.Of(Path.Combine(roots.Sys, "bus/usb/devices", port)) is { } used => throw DeviceProblems.InUse($"device '{name}': USB device {port} is in use by the node: it is {used}"),
            [var port] => new HostDevice.Usb(name, port, NumberOf(port) ?? throw new DeviceMissingException($"device '{name}': USB device {port} has just gone; plug it in")),
            _ => throw DeviceProblems.Refused($"device '{name}': several USB devices are {Described(wanted)}, at the ports {string.Join(", ", fitting)}; say which by its port"),
        };
    }

    /// <summary>As <see cref="Find"/>; null: no single device fits now.</summary>
    public HostDevice.Usb? TryFind(string name, VirtualUsbDevice wanted)
    {
        try
        {
            return Find(name, wanted);
        }
        catch (Exception e) when (e is DeviceMissingException or VmNotReadyException)
        {
            return null;
        }
    }

    // Interfaces of devices have a ':' in their names, and root hubs begin with usb.
    private IEnumerable<string> Ports()
    {
        var place = Path.Combine(roots.Sys, "bus/usb/devices");
        return Directory.Exists(place)
            ? Directory.EnumerateFileSystemEntries(place).Select(entry => Path.GetFileName(entry)).Where(name => char.IsAsciiDigit(name[0]) && !name.Contains(':', StringComparison.Ordinal)).Order(StringComparer.Ordinal)
            : [];
    }

    private bool Fits(string port, VirtualUsbDevice wanted) =>
        (wanted.Port is null || wanted.Port == port) &&
        (wanted.Vendor is null || (Same(Read(port, "idVendor"), wanted.Vendor) && Same(Read(port, "idProduct"), wanted.Product)));

    private DeviceNumber? NumberOf(string port) =>
        Read(port, "dev")?.Split(':') is [var major, var minor]
            ? new DeviceNumber(uint.Parse(major, CultureInfo.InvariantCulture), uint.Parse(minor, CultureInfo.InvariantCulture))
            : null;

    // Null: the device went away meanwhile.
    private string? Read(string port, string attribute)
    {
        try
        {
            return File.ReadAllText(Path.Combine(roots.Sys, "bus/usb/devices", port, attribute)).Trim();
        }
        catch (IOException)
        {
            return null;
        }
    }

    private static bool Same(string? one, string? other) => string.Equals(one, other, StringComparison.OrdinalIgnoreCase);

    private static string Described(VirtualUsbDevice wanted) => (wanted.Vendor, wanted.Port) switch
    {
        (null, var port) => $"at port {port}",
        (var vendor, null) => $"{vendor}:{wanted.Product}",
        (var vendor, var port) => $"{vendor}:{wanted.Product} at port {port}",
    };
}
