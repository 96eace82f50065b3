using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.Containers.Devices;

namespace EdgeVirt.Node.VirtualMachines.Devices;

/// <summary>
/// PCI devices and their drivers, by sysfs. A device goes to a guest only by VFIO, and VFIO only hands on whole IOMMU groups: devices that could reach
/// each other's memory (kernel: Documentation/driver-api/vfio.rst).
/// </summary>
/// <param name="roots">Where the kernel shows them.</param>
/// <param name="write">Writes into a file of sysfs; another one only in tests.</param>
internal sealed class PciBus(HostRoots roots, Action<string, string>? write = null)
{
    private const string Vfio = "vfio-pci";
    private const string BridgeClass = "0x06";

    // Who only holds a device, and leaves its group to VFIO.
    private static readonly string[] Harmless = [Vfio, "pci-stub", "pcieport", "shpchp"];
    private readonly Action<string, string> write = write ?? ((path, text) => File.WriteAllText(path, text));
    private readonly NodeUse use = new(roots);

    /// <summary>The device, which a guest may have.</summary>
    /// <exception cref="DeviceMissingException">It is not there.</exception>
    /// <exception cref="VmNotReadyException">It cannot be handed on, or is in use.</exception>
    public HostDevice.Pci Find(string name, VirtualPciDevice wanted)
    {
        var address = wanted.Address;
        if (!Directory.Exists(At(address)))
        {
            throw new DeviceMissingException($"device '{name}': there is no PCI device {address} on the node; 'lspci -D' lists those that are there");
        }

        if (IsBridge(address))
        {
            throw DeviceProblems.Refused($"device '{name}': {address} is a bridge, which cannot be handed on; name a device behind it");
        }

        if (GroupOf(address) is not { } group)
        {
            throw DeviceProblems.Refused(
                $"device '{name}': {address} has no IOMMU, so that a guest could reach all of the node's memory by it. Turn on VT-d, AMD-Vi or the SMMU in the node's firmware, and intel_iommu=on on an Intel node's kernel command line");
        }

        var others = Others(group, address).Where(other => !IsBridge(other) && DriverOf(other) is { } driver && !Harmless.Contains(driver)).ToList();
        if (others.Count > 0)
        {
            throw DeviceProblems.Refused(
                $"device '{name}': {address} shares IOMMU group {group} with {string.Join(", ", others.Select(other => $"{other} (driver {DriverOf(other)})"))}, and a group goes to one guest as a whole: bind these to vfio-pci too, or use another slot");
        }

        var bound = DriverOf(address);
        if (bound == Vfio)
        {
            return new HostDevice.Pci(name, address, group, IsManaged: false);
        }

        if (!wanted.Managed)
        {
            throw DeviceProblems.InUse(
                $"device '{name}': {address} is not bound to vfio-pci but {(bound is null ? "to no driver" : $"in use by the node's driver {bound}")}: say pci.managed: true to have the agent take it from there, or bind it, as by 'driverctl set-override {address} vfio-pci'");
        }

        return use.Of(At(address)) is { } used
            ? throw DeviceProblems.InUse($"device '{name}': {address} is in use by the node: it is {used}")
            : new HostDevice.Pci(name, address, group, IsManaged: true);
    }

    /// <summary>Binds a device to vfio-pci.</summary>
    /// <exception cref="VmNotReadyException">It stays with its driver.</exception>
    /// <exception cref="IOException">The kernel refused.</exception>
    public void Take(string name, string address)
    {
        if (!Directory.Exists(Path.Combine(roots.Sys, "bus/pci/drivers", Vfio)))
        {
            throw DeviceProblems.Refused($"device '{name}': the node's kernel has no driver vfio-pci at hand; load it (modprobe vfio-pci, for good by a line in /etc/modules-load.d)");
        }

        write(Override(address), Vfio);
        if (DriverOf(address) is not null)
        {
            write(Unbind(address), address);
        }

        write(Probe, address);
        if (DriverOf(address) != Vfio)
        {
            GiveBack(address);
            throw DeviceProblems.Refused($"device '{name}': {address} could not be bound to vfio-pci; the node's kernel log may say why");
        }
    }

    /// <summary>Lets the kernel choose a device's driver again.</summary>
    /// <exception cref="IOException">The kernel refused.</exception>
    public void GiveBack(string address)
    {
        if (!Directory.Exists(At(address)))
        {
            return;
        }

        write(Override(address), "\n");
        if (DriverOf(address) == Vfio)
        {
            write(Unbind(address), address);
        }

        write(Probe, address);
    }

    private string Probe => Path.Combine(roots.Sys, "bus/pci/drivers_probe");

    private string Override(string address) => Path.Combine(At(address), "driver_override");

    private string Unbind(string address) => Path.Combine(At(address), "driver/unbind");

    private string At(string address) => Path.Combine(roots.Sys, "bus/pci/devices", address);

    private bool IsBridge(string address) =>
        File.Exists(Path.Combine(At(address), "class")) && File.ReadAllText(Path.Combine(At(address), "class")).StartsWith(BridgeClass, StringComparison.Ordinal);

    private string? DriverOf(string address) => LinkName(Path.Combine(At(address), "driver"));

    private string? GroupOf(string address) => LinkName(Path.Combine(At(address), "iommu_group"));

    private IEnumerable<string> Others(string group, string address)
    {
        var place = Path.Combine(roots.Sys, "kernel/iommu_groups", group, "devices");
        return Directory.Exists(place)
            ? Directory.EnumerateFileSystemEntries(place).Select(entry => Path.GetFileName(entry)).Where(other => other != address).Order(StringComparer.Ordinal)
            : [];
    }

    private static string? LinkName(string link) => new FileInfo(link).LinkTarget is { } target ? Path.GetFileName(target) : null;
}
