using System.Buffers.Binary;
using System.Globalization;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Linux;

namespace EdgeVirt.Node.Boards;

/// <summary>What the board, its image and its storage say of themselves in /proc, /sys and os-release.</summary>
/// <param name="root">Where these are: "/" but in tests.</param>
internal sealed class BoardFiles(string root = "/")
{
    private const int SectorBytes = 512;

    // Devices that are made of others, or of memory.
    private static readonly string[] NotStorage = ["loop", "ram", "zram", "dm-", "md", "sr", "nbd", "fd", "mtdblock"];

    /// <summary>The image; null where os-release names none.</summary>
    public NodeImage? Image()
    {
        var running = RunningImage.Read(root);
        return running.Id is { } id ? new NodeImage { Id = id, Version = running.Version, Variant = running.Variant, Slot = running.Slot } : null;
    }

    /// <summary>The firmware; null where nothing says.</summary>
    public NodeFirmware? Firmware()
    {
        const string eeprom = "proc/device-tree/chosen/bootloader";
        if (Number(Path.Combine(eeprom, "build-timestamp")) is { } built)
        {
            return new NodeFirmware
            {
                Vendor = "Raspberry Pi",
                Version = Line(Path.Combine(eeprom, "version")),
                Date = DateTimeOffset.FromUnixTimeSeconds(built).ToString("yyyy-MM-dd", CultureInfo.InvariantCulture),
            };
        }

        var firmware = new NodeFirmware { Vendor = Line("sys/class/dmi/id/bios_vendor"), Version = Line("sys/class/dmi/id/bios_version"), Date = Line("sys/class/dmi/id/bios_date") };
        return firmware == new NodeFirmware() ? null : firmware;
    }

    /// <summary>Whole storage devices, ordered by name.</summary>
    public IReadOnlyList<StorageDevice> Storage()
    {
        var folder = Path.Combine(root, "sys/block");
        if (!Directory.Exists(folder))
        {
            return [];
        }

        return [.. Directory.EnumerateDirectories(folder)
            .Select(Path.GetFileName)
            .OfType<string>()
            .Where(name => !NotStorage.Any(prefix => name.StartsWith(prefix, StringComparison.Ordinal)) && !name.Contains("boot", StringComparison.Ordinal))
            .Order(StringComparer.Ordinal)
            .Select(Read)];
    }

    private StorageDevice Read(string name)
    {
        var device = $"sys/block/{name}/device";
        var type = Line($"{device}/type");
        var kind = name switch
        {
            ['m', 'm', 'c', ..] => type == "SD" ? StorageKind.SdCard : StorageKind.Emmc,
            ['n', 'v', 'm', 'e', ..] => StorageKind.Nvme,
            ['s', 'd', ..] => StorageKind.Scsi,
            _ => StorageKind.Other,
        };
        return new StorageDevice
        {
            Name = name,
            Kind = kind,
            Model = Line($"{device}/name") ?? Line($"{device}/model"),
            Manufacturer = Line($"{device}/manfid"),
            SerialNumber = Line($"{device}/serial") ?? Line($"sys/block/{name}/serial"),
            MadeAt = Line($"{device}/date"),
            Firmware = Line($"{device}/fwrev") ?? Line($"{device}/firmware_rev") ?? Line($"{device}/rev"),
            SizeBytes = long.TryParse(Line($"sys/block/{name}/size"), CultureInfo.InvariantCulture, out var sectors) ? sectors * SectorBytes : 0,
            LifeUsedPercent = LifeUsed(Line($"{device}/life_time")),
            Spare = Line($"{device}/pre_eol_info") switch { "0x01" => "normal", "0x02" => "warning", "0x03" => "urgent", _ => null },
        };
    }

    // JESD84-B51, DEVICE_LIFE_TIME_EST_TYP_A and _B: tenths that have begun, 0x0b when the life is exceeded, 0 where the device does not say.
    private static int? LifeUsed(string? text)
    {
        var most = 0;
        foreach (var part in text?.Split(' ') ?? [])
        {
            if (part.StartsWith("0x", StringComparison.Ordinal) && int.TryParse(part.AsSpan(2), NumberStyles.HexNumber, CultureInfo.InvariantCulture, out var tenths))
            {
                most = Math.Max(most, Math.Min(tenths, 11) * 10);
            }
        }

        return most == 0 ? null : most;
    }

    // A cell of the device tree, big-endian, of four or eight bytes.
    private long? Number(string path) => Bytes(path) switch
    {
        { Length: 4 } four => BinaryPrimitives.ReadUInt32BigEndian(four),
        { Length: 8 } eight => BinaryPrimitives.ReadInt64BigEndian(eight),
        _ => null,
    };

    private string? Line(string path) => Bytes(path) is { } bytes && System.Text.Encoding.UTF8.GetString(bytes).Trim('\0', '\n', ' ') is { Length: > 0 } text ? text : null;

    // Files of firmware and devices may be missing, for root alone, or fail with the device.
    private byte[]? Bytes(string path)
    {
        try
        {
            var whole = Path.Combine(root, path);
            return File.Exists(whole) ? File.ReadAllBytes(whole) : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
