using System.Text;
using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Cli.Output;

/// <summary>A virtual machine for people: what is wanted, and what each node makes of it. What cloud-init is told is not shown: it may hold passwords.</summary>
internal static class VirtualMachineDescription
{
    public static void Write(Description to, VirtualMachineSpec spec, VirtualMachineStatus? status)
    {
        to.Field("Placement", WorkloadDescription.PlacementText(spec.Placement));
        to.Field("Power", (spec.Power ?? VirtualMachinePower.Running).ToString());
        to.Field("Restart", spec.RestartPolicy.ToString());
        to.Field("Grace period", $"{spec.TerminationGracePeriodSeconds ?? 60} s");
        to.Field("Machine", spec.Machine?.ToString() ?? "as the node's architecture has it");
        to.Field("Acceleration", (spec.Acceleration ?? VirtualMachineAcceleration.Required).ToString());
        to.Field("CPUs", $"{spec.Cpu?.Count ?? 1}{(spec.Cpu is { DedicatedCpuPlacement: true } ? ", each with one of the node's of its own" : "")}{(spec.Cpu?.Limit is { } limit ? $", of which {limit} in use at most" : "")}");
        to.Field("Memory", $"{spec.Memory.Size}{(spec.Memory.Minimum is { } minimum ? $", of which it keeps {minimum} when the node is short" : "")}{(spec.Memory.Hugepages is { } pages ? $", of huge pages of {pages.PageSize}" : "")}");
        to.Field("Boot", BootText(spec.Boot));
        to.Field("Display", spec.Display?.Type?.ToString() ?? (spec.Machine == VirtualMachineModel.MicroVm ? "None" : "as its machine has it"));
        to.Field("Snapshots", spec.Snapshots is { } schedule ? $"every {Durations.Format(TimeSpan.FromSeconds(schedule.IntervalSeconds))}, the newest {schedule.Keep} stay" : null);
        to.Field("TPM", spec.Tpm is { } tpm ? tpm.Model?.ToString() ?? "as its machine has it" : null);
        to.Field("Watchdog", spec.Watchdog is { } watchdog ? (watchdog.Action ?? VirtualWatchdogAction.Reset).ToString() : null);
        to.Field("Firmware", FirmwareText(spec));
        to.Field("Cloud-init", spec.CloudInit is { } seed ? SeedText(seed) : null);
        to.Field("Ready", $"{status?.ReadyInstances ?? 0} of {status?.DesiredInstances ?? 0} nodes");
        WriteDevices(to, spec);
        if (status?.Conditions.Count > 0)
        {
            to.Section("Conditions");
            to.Conditions(status.Conditions);
        }

        foreach (var instance in status?.Instances ?? [])
        {
            to.Section($"On node {instance.Node}");
            to.Field("State", instance.State.ToString(), 2);
            to.Field("Address", instance.Address, 2);
            to.Field("Generation", $"{instance.ObservedGeneration}", 2);
            to.Field("Restarts", $"{instance.RestartCount}", 2);
            to.Field("Memory", instance.MemoryBytes is { } bytes ? $"{bytes >> 20} MiB" : null, 2);
            to.Field("CPUs", instance.Cpus, 2);
            to.Time("Started", instance.StartedAt, 2);
            to.Field("Resets", instance.ResetCount > 0 ? $"{instance.ResetCount}{(instance.LastReset is { } reset ? $", the last one {reset.Reason}" : "")}" : null, 2);
            to.Field("Last exit", instance.LastExit is { } exit ? WorkloadDescription.ExitText(exit) : null, 2);
            to.Table(CardsTable(instance.Interfaces ?? []));
            to.Conditions(instance.Conditions);
        }
    }

    private static void WriteDevices(Description to, VirtualMachineSpec spec)
    {
        if (spec.Disks is { Count: > 0 } disks)
        {
            to.Section("Disks");
            var table = new TableView("DISK", "SIZE", "MODE", "SOURCE");
            foreach (var disk in disks)
            {
                table.Add(disk.Name, disk.Size?.ToString() ?? "as its source", ModeText(disk), SourceText(disk));
            }

            to.Table(table);
        }

        if (spec.Devices is { Count: > 0 } devices)
        {
            to.Section("Devices of the node");
            var table = new TableView("DEVICE", "KIND", "WHICH");
            foreach (var device in devices)
            {
                table.Add(device.Name, device.Usb is not null ? "USB" : device.Pci is not null ? "PCI" : "serial", DeviceText(device));
            }

            to.Table(table);
        }

        if (spec.Interfaces is { Count: > 0 } interfaces)
        {
            to.Section("Interfaces");
            var table = new TableView("INTERFACE", "MAC ADDRESS", "PORTS");
            foreach (var card in interfaces)
            {
                table.Add(card.Name, card.MacAddress ?? "given by the node", card.Ports is { Count: > 0 } ports ? string.Join(", ", ports.Select(WorkloadDescription.PortText)) : "-");
            }

            to.Table(table);
        }
        else
        {
            to.Field("Interfaces", spec.Interfaces is null ? "one on the node's network" : "none");
        }
    }

    private static TableView CardsTable(IReadOnlyList<VirtualInterfaceStatus> cards)
    {
        var table = new TableView("INTERFACE", "MAC ADDRESS", "ADDRESSES TOLD BY THE GUEST");
        foreach (var card in cards)
        {
            table.Add(card.Name, card.MacAddress, card.Addresses.Count == 0 ? "-" : string.Join(", ", card.Addresses));
        }

        return table;
    }

    private static string BootText(VirtualMachineBoot? boot) => boot?.Kernel is { } kernel
        ? $"{kernel.Kernel}{(kernel.Initrd is { } initrd ? $" with {initrd}" : "")} of {kernel.Image}{(kernel.CommandLine is { } line ? $": {line}" : "")}"
        : $"by {(boot?.Firmware?.Type ?? VirtualFirmwareType.Uefi).ToString().ToUpperInvariant()}";

    // What follows a '?' in an address may be a token.
    private static string ModeText(VirtualDiskSpec disk) => disk.ReadOnly
        ? "read-only"
        : $"writable{(disk.Cache is { } cache ? $", cache {cache}" : "")}{(disk.Discard is { } discard ? $", discard {discard}" : "")}";

    private static string SourceText(VirtualDiskSpec disk) => disk switch
    {
        { Image: { } image } => $"{image.Reference}{(image.Path is { } path ? $" {path}" : "")}",
        { CloneOf: { } clone } => $"disk {clone.Disk} of {clone.Machine}{(clone.Snapshot is { } snapshot ? $", snapshot {snapshot}" : "")}",
        { Url: { } url } => $"{url.Location.Split('?')[0]} sha256:{url.Sha256.ToLowerInvariant()}",
        _ => "empty",
    };

    private static string DeviceText(VirtualDeviceSpec device) => device switch
    {
        { Usb: { Vendor: { } vendor } usb } => $"{vendor}:{usb.Product}{(usb.Port is { } port ? $" at port {port}" : "")}",
        { Usb.Port: { } port } => $"port {port}",
        { Pci: { } pci } => $"{pci.Address}{(pci.Managed ? ", taken from its driver" : "")}",
        _ => device.Serial?.Path ?? device.Serial?.Name ?? "-",
    };

    private static string? FirmwareText(VirtualMachineSpec spec)
    {
        string?[] parts =
        [
            spec.Smbios is { } smbios ? $"SMBIOS with {smbios.OemStrings?.Count ?? 0} OEM strings" : null,
            spec.FirmwareConfig is { Count: > 0 } entries ? $"fw_cfg {string.Join(", ", entries.Select(entry => entry.Name))}" : null,
            spec.Ignition is { } ignition ? ignition.ConfigSecret is { } secret ? $"Ignition from Secret {secret.Name}" : $"Ignition of {Size(ignition.Config ?? "")}" : null,
        ];
        return parts.Any(part => part is not null) ? string.Join(", ", parts.Where(part => part is not null)) : null;
    }

    private static string SeedText(CloudInitSpec seed)
    {
        string?[] parts =
        [
            seed.UserDataSecret is { } secret ? $"user-data from Secret {secret.Name}" : seed.UserData is { } data ? $"user-data of {Size(data)}" : null,
            seed.NetworkConfig is { } network ? $"network-config of {Size(network)}" : null,
            seed.SshAuthorizedKeys is { Count: > 0 and var count } ? $"{count} SSH key{(count == 1 ? "" : "s")}" : null,
            seed.Hostname is { } host ? $"host name {host}" : null,
        ];
        return parts.Any(part => part is not null) ? string.Join(", ", parts.Where(part => part is not null)) : "name and identity alone";
    }

    private static string Size(string text) => Description.Bytes(Encoding.UTF8.GetByteCount(text));
}
