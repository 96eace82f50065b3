using EdgeVirt.Contracts.Resources;
using EdgeVirt.Linux.Files;

namespace EdgeVirt.Node.VirtualMachines.Devices;

/// <summary>
/// Devices of the node in the hands of machines: each has one holder at a time. QEMU opens USB devices and serial ports by nodes that are its
/// user's alone, so that the rights to the node's own stay as they are. Safe for use by several threads.
/// </summary>
internal sealed class MachineDevices(VmRecords records, IReadOnlyList<DeclaredDevice> declared, HostRoots? roots = null, PciBus? pci = null)
{
    private const UnixFileMode Passable = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;

    private readonly HostRoots roots = roots ?? new HostRoots();
    private readonly UsbBus usb = new(roots ?? new HostRoots());
    private readonly SerialPorts serial = new(declared, roots ?? new HostRoots());
    private readonly PciBus pci = pci ?? new PciBus(roots ?? new HostRoots());
    private readonly Lock gate = new();

    /// <summary>What a machine is to have, all of it there and free. Nothing is changed.</summary>
    /// <exception cref="Containers.Devices.DeviceMissingException">One is not there.</exception>
    /// <exception cref="VmNotReadyException">One cannot be handed on, or is in use.</exception>
    public IReadOnlyList<HostDevice> Find(VirtualMachineSpec spec, VmRecord record)
    {
        List<HostDevice> found = [];
        foreach (var wanted in spec.Devices ?? [])
        {
            HostDevice device = wanted switch
            {
                { Usb: { } stick } => usb.Find(wanted.Name, stick),
                { Pci: { } card } => pci.Find(wanted.Name, card),
                { Serial: { } port } => serial.Find(wanted.Name, port),
                _ => throw DeviceProblems.Refused($"device '{wanted.Name}' is of a kind that this agent does not know; update it"),
            };
            Check(device, record);
            if (device is HostDevice.Serial tty)
            {
                serial.CheckFree(tty);
            }

            if (found.FirstOrDefault(other => other.Id == device.Id) is { } twice)
            {
                throw DeviceProblems.Refused($"devices '{twice.Name}' and '{device.Name}' are the same one: {device.Id}; take one of them out");
            }

            found.Add(device);
        }

        return found;
    }

    /// <summary>Writes down that a machine has them, and makes them ready for its QEMU.</summary>
    /// <returns>The record as it is now. Where this fails, what was begun is taken back.</returns>
    /// <exception cref="VmNotReadyException">Another machine was faster, or one cannot be bound.</exception>
    /// <exception cref="IOException">The kernel refused.</exception>
    public VmRecord Take(VmRecord record, VirtualMachineSpec spec, IReadOnlyList<HostDevice> devices, VmPaths paths)
    {
        var hotPluggable = (spec.Devices ?? []).Where(device => device.Usb is not null).ToList();
        if (devices.Count == 0 && record.Devices.Count == 0 && hotPluggable.Count == 0 && record.Pluggable.Count == 0)
        {
            return record;
        }

        lock (gate)
        {
            foreach (var device in devices)
            {
                Check(device, record);
            }

            record = records.Put(record with { Devices = [.. devices.Select(VmDevice.Of)], Pluggable = hotPluggable });
        }

        try
        {
            foreach (var device in devices)
            {
                Ready(device, record, paths);
            }

            return record;
        }
        catch
        {
            Release(record, paths);
            throw;
        }
    }

    /// <summary>Gives back what a machine has.</summary>
    /// <exception cref="IOException">The kernel refused.</exception>
    public VmRecord Release(VmRecord record, VmPaths paths)
    {
        if (record.Devices.Count == 0 && record.Pluggable.Count == 0)
        {
            return record;
        }

        if (Directory.Exists(paths.Nodes))
        {
            Directory.Delete(paths.Nodes, recursive: true);
        }

        foreach (var device in record.Devices.Where(device => device.PciAddress is not null))
        {
            if (GroupNode(device.Group!) is var node && File.Exists(node))
            {
                Ownership.Set(node, 0, 0);
            }

            if (device.IsManaged)
            {
                pci.GiveBack(device.PciAddress!);
            }
        }

        lock (gate)
        {
            return records.Put(record with { Devices = [], Pluggable = [] });
        }
    }

    /// <summary>The USB device that fits now and that no other machine has; null: none.</summary>
    public HostDevice.Usb? FindUsb(VirtualDeviceSpec wanted, VmRecord record) =>
        wanted.Usb is { } stick && usb.TryFind(wanted.Name, stick) is { } found && HolderOf(found, record) is null ? found : null;

    /// <summary>Takes one more USB device.</summary>
    /// <exception cref="VmNotReadyException">Another machine was faster.</exception>
    /// <exception cref="IOException">The kernel refused.</exception>
    public VmRecord Attach(VmRecord record, HostDevice.Usb device, VmPaths paths)
    {
        lock (gate)
        {
            Check(device, record);
            record = records.Put(record with { Devices = [.. record.Devices, VmDevice.Of(device)] });
        }

        Ready(device, record, paths);
        return record;
    }

    /// <summary>Lets go of a USB device.</summary>
    public VmRecord Detach(VmRecord record, string name, VmPaths paths)
    {
        if (Directory.Exists(paths.Nodes))
        {
            File.Delete(paths.Node(name));
        }

        lock (gate)
        {
            return records.Put(record with { Devices = [.. record.Devices.Where(device => device.Name != name)] });
        }
    }

    private void Ready(HostDevice device, VmRecord record, VmPaths paths)
    {
        switch (device)
        {
            case HostDevice.Usb stick:
                MakeNode(device.Name, stick.Number, record, paths);
                break;
            case HostDevice.Serial port:
                MakeNode(device.Name, port.Number, record, paths);
                break;
            case HostDevice.Pci card:
                if (card.IsManaged)
                {
                    pci.Take(card.Name, card.Address);
                }

                // VFIO knows the group by this name alone. It is root's again afterwards.
                Ownership.Set(GroupNode(card.Group), record.User, record.User);
                break;
        }
    }

    private static void MakeNode(string name, Linux.DeviceNumber number, VmRecord record, VmPaths paths)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(paths.Nodes)!, Passable);
        Directory.CreateDirectory(paths.Nodes, Passable);
        File.Delete(paths.Node(name));
        DeviceNode.Make(paths.Node(name), number, record.User);
    }

    private void Check(HostDevice device, VmRecord record)
    {
        if (HolderOf(device, record) is { } holder)
        {
            throw DeviceProblems.InUse($"device '{device.Name}': {device.Id} is in use by the virtual machine '{holder.Name}'; take it from there, or choose another");
        }
    }

    private VmRecord? HolderOf(HostDevice device, VmRecord record) => records.All.FirstOrDefault(other =>
        other.Id != record.Id && other.Devices.Any(held => held.Id == device.Id || (device is HostDevice.Pci card && held.Group == card.Group)));

    private string GroupNode(string group) => Path.Combine(roots.Dev, "vfio", group);
}
