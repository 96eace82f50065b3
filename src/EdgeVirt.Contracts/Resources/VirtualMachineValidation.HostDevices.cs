using System.Text.RegularExpressions;
using static EdgeVirt.Contracts.Resources.WorkloadValidation;

namespace EdgeVirt.Contracts.Resources;

internal static partial class VirtualMachineValidation
{
    private const int MostHostDevices = 16;

    private const int MostSerialPorts = 4;

    private static void ValidateHostDevices(VirtualMachineSpec spec, Validation v)
    {
        var devices = spec.Devices ?? [];
        if (devices.Count > 0 && spec.Machine == VirtualMachineModel.MicroVm)
        {
            v.Add("spec.devices", "MicroVm has no bus for the node's devices: leave them out, or use Q35");
        }

        if (devices.Count > MostHostDevices || devices.Count(device => device.Serial is not null) > MostSerialPorts)
        {
            v.Add("spec.devices", $"takes up to {MostHostDevices} devices, up to {MostSerialPorts} of them serial");
        }

        var places = devices.Count(device => device.Usb is null) + (spec.Disks?.Count ?? 0) + (spec.Interfaces?.Count ?? 1);
        if (devices.Count > 0 && places > MostDevices)
        {
            v.Add("spec.devices", $"with disks and interfaces these are {places}, more than the {MostDevices} devices that a machine has room for");
        }

        var names = new HashSet<string>();
        for (var i = 0; i < devices.Count; i++)
        {
            var (device, at) = (devices[i], $"spec.devices[{i}]");
            Name(device.Name, $"{at}.name", names, v);
            if (device.Gpio is not null)
            {
                v.Add($"{at}.gpio", "is not supported: handing GPIO lines to a guest needs a vhost-user daemon, and Debian has none. Use a container (spec.template, devices: [{class: gpio}]), or a USB or serial adapter");
            }
            else if (((object?[])[device.Usb, device.Pci, device.Serial]).Count(given => given is not null) != 1)
            {
                v.Add(at, "give exactly one of usb, pci and serial");
            }

            Validate(device.Usb, $"{at}.usb", v);
            if (device.Pci is { } pci && !PciAddress().IsMatch(pci.Address))
            {
                v.Add($"{at}.pci.address", $"'{pci.Address}' must be domain:bus:device.function in lower-case hexadecimal digits, as lspci -D prints it: 0000:03:00.0");
            }

            Validate(device.Serial, $"{at}.serial", v);
            if (devices.Take(i).Any(other => (other.Usb, other.Pci?.Address, other.Serial) == (device.Usb, device.Pci?.Address, device.Serial)))
            {
                v.Add(at, "is the same device as one before");
            }
        }
    }

    private static void Validate(VirtualUsbDevice? usb, string path, Validation v)
    {
        if (usb is null)
        {
            return;
        }

        if (usb.Vendor is null != usb.Product is null || (usb.Vendor is null && usb.Port is null))
        {
            v.Add(path, "give vendor and product, or port, or all three");
        }

        foreach (var (name, id) in ((string, string?)[])[("vendor", usb.Vendor), ("product", usb.Product)])
        {
            if (id is not null && !(id.Length == 4 && id.All(char.IsAsciiHexDigit)))
            {
                v.Add($"{path}.{name}", $"'{id}' must be four hexadecimal digits, as lsusb prints them: '0403'");
            }
        }

        if (usb.Port is { } port && !UsbPort().IsMatch(port))
        {
            v.Add($"{path}.port", $"'{port}' must be bus and ports, as /sys/bus/usb/devices names it: 1-1.2");
        }
    }

    private static void Validate(VirtualSerialPort? serial, string path, Validation v)
    {
        if (serial is null)
        {
            return;
        }

        if (serial.Path is null == serial.Name is null)
        {
            v.Add(path, "give exactly one of path and name");
        }

        if (serial.Path is { } file && (!IsAbsolute(file) || !file.StartsWith("/dev/", StringComparison.Ordinal) || file.EndsWith('/') || file.AsSpan().ContainsAny('*', '?')))
        {
            v.Add($"{path}.path", "must be the path of one device below /dev, without '..', '*' and '?', as /dev/ttyUSB0");
        }

        if (serial.Name is { } name && ResourceName.Problem(name) is { } problem)
        {
            v.Add($"{path}.name", $"'{name}' {problem}");
        }
    }

    [GeneratedRegex("^[0-9a-f]{4,8}:[0-9a-f]{2}:[01][0-9a-f]\\.[0-7]$")]
    private static partial Regex PciAddress();

    [GeneratedRegex("^[0-9]{1,3}-[0-9]{1,3}(\\.[0-9]{1,3}){0,6}$")]
    private static partial Regex UsbPort();
}
