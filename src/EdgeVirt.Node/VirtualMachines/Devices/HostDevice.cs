using EdgeVirt.Contracts.Resources;
using EdgeVirt.Linux;

namespace EdgeVirt.Node.VirtualMachines.Devices;

/// <summary>A device of the node as it is now, for a machine.</summary>
/// <param name="Name">What the machine calls it.</param>
internal abstract record HostDevice(string Name)
{
    /// <summary>What it is on the node: two of the same are one device.</summary>
    public abstract string Id { get; }

    /// <param name="Name">What the machine calls it.</param>
    /// <param name="Port">Bus and ports, as sysfs has it.</param>
    /// <param name="Number">Of its node; another one each time it is plugged in.</param>
    public sealed record Usb(string Name, string Port, DeviceNumber Number) : HostDevice(Name)
    {
        public override string Id => $"USB device {Port} ({Number})";
    }

    /// <param name="Name">What the machine calls it.</param>
    /// <param name="Path">Of its node.</param>
    /// <param name="Number">Of it.</param>
    public sealed record Serial(string Name, string Path, DeviceNumber Number) : HostDevice(Name)
    {
        public override string Id => $"serial port {Number}";
    }

    /// <param name="Name">What the machine calls it.</param>
    /// <param name="Address">On its bus.</param>
    /// <param name="Group">Its IOMMU group.</param>
    /// <param name="IsManaged">The agent binds it to vfio-pci and gives it back.</param>
    public sealed record Pci(string Name, string Address, string Group, bool IsManaged) : HostDevice(Name)
    {
        public override string Id => $"PCI device {Address}";
    }
}

/// <summary>A device that a machine has. Written down before anything is done to it.</summary>
/// <param name="Name">What the machine calls it.</param>
/// <param name="Id">See <see cref="HostDevice.Id"/>.</param>
internal sealed record VmDevice(string Name, string Id)
{
    /// <summary>Address of a PCI device; null: it is another kind of device.</summary>
    public string? PciAddress { get; init; }

    /// <summary>IOMMU group of a PCI device: no two machines can share one.</summary>
    public string? Group { get; init; }

    /// <summary>The agent took it from its driver, and gives it back.</summary>
    public bool IsManaged { get; init; }

    public static VmDevice Of(HostDevice device) => device is HostDevice.Pci pci
        ? new VmDevice(pci.Name, pci.Id) { PciAddress = pci.Address, Group = pci.Group, IsManaged = pci.IsManaged }
        : new VmDevice(device.Name, device.Id);
}

/// <summary>Where the kernel shows its devices; elsewhere only in tests.</summary>
internal sealed record HostRoots(string Sys = "/sys", string Dev = "/dev", string Proc = "/proc");

/// <summary>Problems with devices.</summary>
internal static class DeviceProblems
{
    public static VmNotReadyException InUse(string message) => new(new VmProblem(ReadyReasons.DeviceInUse, message));

    public static VmNotReadyException Refused(string message) => new(new VmProblem(ReadyReasons.DeviceRefused, message));
}
