namespace EdgeVirt.Contracts.Resources;

/// <summary>A device of the node that a virtual machine gets for itself: exactly one of usb, pci and serial.</summary>
public sealed record VirtualDeviceSpec
{
    /// <summary>DNS label, unique within the machine.</summary>
    public required string Name { get; init; }

    /// <summary>A USB device. It may come and go while the guest runs.</summary>
    public VirtualUsbDevice? Usb { get; init; }

    /// <summary>A PCI device, by VFIO.</summary>
    public VirtualPciDevice? Pci { get; init; }

    /// <summary>A serial port of the node, as a serial port of the guest.</summary>
    public VirtualSerialPort? Serial { get; init; }

    /// <summary>Refused: there is no way to hand GPIO lines on.</summary>
    public VirtualGpioDevice? Gpio { get; init; }
}

/// <summary>A USB device: by vendor and product, by port, or by both.</summary>
public sealed record VirtualUsbDevice
{
    /// <summary>Vendor, four hexadecimal digits, as <c>lsusb</c> prints it; only with <see cref="Product"/>.</summary>
    public string? Vendor { get; init; }

    /// <summary>Product, four hexadecimal digits.</summary>
    public string? Product { get; init; }

    /// <summary>Bus and ports on the way to it, e.g. <c>1-1.2</c>, as /sys/bus/usb/devices names it.</summary>
    public string? Port { get; init; }
}

/// <summary>A PCI device.</summary>
public sealed record VirtualPciDevice
{
    /// <summary>E.g. <c>0000:03:00.0</c>, as <c>lspci -D</c> prints it.</summary>
    public required string Address { get; init; }

    /// <summary>The agent takes it from its driver before a start and gives it back after the end. Absent: it has to be bound to vfio-pci already.</summary>
    public bool Managed { get; init; }
}

/// <summary>A serial port of the node: exactly one of path and name. Nobody else may use it meanwhile.</summary>
public sealed record VirtualSerialPort
{
    /// <summary>Path on the node, e.g. <c>/dev/ttyUSB0</c>.</summary>
    public string? Path { get; init; }

    /// <summary>A device that the node's own options declare by this name.</summary>
    public string? Name { get; init; }
}

/// <summary>Lines of a GPIO chip.</summary>
public sealed record VirtualGpioDevice
{
    /// <summary>The chip.</summary>
    public string? Path { get; init; }
}
