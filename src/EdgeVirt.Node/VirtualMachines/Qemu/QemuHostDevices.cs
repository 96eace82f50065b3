using System.Text.Json.Nodes;
using EdgeVirt.Node.VirtualMachines.Devices;
using static EdgeVirt.Node.VirtualMachines.Qemu.QemuCommandLine;

namespace EdgeVirt.Node.VirtualMachines.Qemu;

/// <summary>QEMU's arguments for devices of the node. Pure.</summary>
internal static class QemuHostDevices
{
    private const string UsbController = "hostusb";

    // As many devices as a machine may have, of either speed.
    private const string UsbPorts = "p2=15,p3=15";

    public static IReadOnlyList<string> For(QemuGuest guest, VmPaths paths) =>
    [
        // Of its own, with room for what comes later.
        .. (guest.Spec.Devices ?? []).Any(device => device.Usb is not null) ? (string[])["-device", $"qemu-xhci,id={UsbController},{UsbPorts}"] : [],
        .. guest.HostDevices.SelectMany(device => device switch
        {
            HostDevice.Usb stick => ["-device", string.Join(',', Usb(stick, paths).Select(property => property.Key == "driver" ? $"{property.Value}" : $"{property.Key}={Escaped($"{property.Value}")}"))],
            HostDevice.Serial port =>
            [
                "-chardev", $"serial,id={IdOf(port.Name)}-line,path={Escaped(paths.Node(port.Name))}",
                "-device", $"pci-serial,id={IdOf(port.Name)},chardev={IdOf(port.Name)}-line",
            ],
            HostDevice.Pci card => (string[])["-device", $"vfio-pci,id={IdOf(card.Name)},host={card.Address}"],
            _ => throw new ArgumentOutOfRangeException(nameof(guest)),
        }),
    ];

    /// <summary>What <c>device_add</c> takes for a USB device.</summary>
    public static JsonObject Usb(HostDevice.Usb device, VmPaths paths) => new()
    {
        ["driver"] = "usb-host", ["id"] = IdOf(device.Name), ["bus"] = $"{UsbController}.0", ["hostdevice"] = paths.Node(device.Name),
    };

    /// <summary>QEMU's name of a device.</summary>
    public static string IdOf(string name) => $"host-{name}";
}
