using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Cli.Output;

/// <summary>What a node says about itself, for people.</summary>
internal static class NodeDescription
{
    public static void Write(Description to, NodeStatus status)
    {
        to.Field("Agent", status.AgentVersion);
        to.Field("Board", status.Board);
        to.Field("Serial number", status.SerialNumber);
        to.Field("Architecture", status.Architecture);
        to.Field("Firmware", Words(status.Firmware?.Vendor, status.Firmware?.Version, status.Firmware?.Date));
        to.Field("Image", Words(status.Image?.Id, status.Image?.Version, status.Image?.Variant));
        to.Field("Slot", status.Image?.Slot);
        to.Field("OS", status.OperatingSystem);
        to.Field("Kernel", status.Kernel);
        to.Field("Runtime", status.ContainerRuntime);
        to.Field("Runs", string.Join(", ", status.Kinds ?? []));
        to.Field("Addresses", string.Join(", ", status.Addresses));
        to.Field("CPUs", status.CpuCount > 0 ? $"{status.CpuCount}" : null);
        to.Field("Memory", status.MemoryBytes > 0 ? Description.Bytes(status.MemoryBytes) : null);
        to.Field("Disk", status.DiskBytes > 0 ? Description.Bytes(status.DiskBytes) : null);
        to.Field("Revision", $"{status.DesiredRevision}");
        to.Field("Boot", status.BootId);
        to.Time("Certificate to", status.CertificateExpiresAt);
        to.Time("Last seen", status.LastSeen);
        if (status.Storage is { Count: > 0 } storage)
        {
            to.Section("Storage");
            to.Table(TableOf(storage));
        }

        if (status.Conditions.Count > 0)
        {
            to.Section("Conditions");
            to.Conditions(status.Conditions);
        }
    }

    private static TableView TableOf(IReadOnlyList<StorageDevice> devices)
    {
        var table = new TableView("NAME", "KIND", "MODEL", "SIZE", "LIFE USED", "HEALTH", "SERIAL", "FIRMWARE");
        foreach (var device in devices)
        {
            table.Add(
                device.Name,
                KindOf(device.Kind),
                Words(device.Manufacturer, device.Model, device.MadeAt) ?? "-",
                Description.Bytes(device.SizeBytes),
                device.LifeUsedPercent is { } used ? $"{used} %" : "-",
                HealthOf(device),
                device.SerialNumber ?? "-",
                device.Firmware ?? "-");
        }

        return table;
    }

    private static string? Words(params IEnumerable<string?> words) => string.Join(' ', words.OfType<string>()) is { Length: > 0 } text ? text : null;

    private static string KindOf(StorageKind kind) => kind switch
    {
        StorageKind.SdCard => "SD card",
        StorageKind.Emmc => "eMMC",
        StorageKind.Nvme => "NVMe",
        StorageKind.Scsi => "SATA/USB",
        _ => "other",
    };

    private static string HealthOf(StorageDevice device) => (device.IsHealthy, device.Spare) switch
    {
        (false, _) => "failing",
        (_, { } spare) => $"spare {spare}",
        (true, _) => "good",
        _ => "-",
    };
}
