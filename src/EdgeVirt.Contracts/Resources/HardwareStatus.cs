namespace EdgeVirt.Contracts.Resources;

/// <summary>The system image that a node runs, as the image says; absent values are not known.</summary>
public sealed record NodeImage
{
    /// <summary>IMAGE_ID of os-release, such as <c>edgevirt-rpi4</c>.</summary>
    public string? Id { get; init; }

    /// <summary>IMAGE_VERSION of os-release.</summary>
    public string? Version { get; init; }

    /// <summary>VARIANT_ID of os-release: <c>production</c> or <c>debug</c>.</summary>
    public string? Variant { get; init; }

    /// <summary>The system slot that was booted, <c>A</c> or <c>B</c>.</summary>
    public string? Slot { get; init; }
}

/// <summary>What starts the board: UEFI, or the boot EEPROM of a Raspberry Pi.</summary>
public sealed record NodeFirmware
{
    /// <summary>Who made it.</summary>
    public string? Vendor { get; init; }

    /// <summary>Its version.</summary>
    public string? Version { get; init; }

    /// <summary>When it was built, as firmware writes it or as a date of ISO 8601.</summary>
    public string? Date { get; init; }
}

/// <summary>Kinds of storage devices.</summary>
public enum StorageKind
{
    /// <summary>Something else, such as a virtual disk.</summary>
    Other,

    /// <summary>A card.</summary>
    SdCard,

    /// <summary>Flash memory on the board.</summary>
    Emmc,

    /// <summary>NVMe.</summary>
    Nvme,

    /// <summary>SATA, SAS or USB.</summary>
    Scsi,
}

/// <summary>One storage device of a node.</summary>
public sealed record StorageDevice
{
    /// <summary>The kernel's name of it, such as <c>mmcblk0</c>.</summary>
    public required string Name { get; init; }

    /// <summary>What it is.</summary>
    public StorageKind Kind { get; init; }

    /// <summary>Product name.</summary>
    public string? Model { get; init; }

    /// <summary>Number of the maker of a card or eMMC, such as <c>0x000003</c>.</summary>
    public string? Manufacturer { get; init; }

    /// <summary>Serial number.</summary>
    public string? SerialNumber { get; init; }

    /// <summary>Month and year in which a card or eMMC was made, such as <c>05/2024</c>.</summary>
    public string? MadeAt { get; init; }

    /// <summary>Revision of its firmware.</summary>
    public string? Firmware { get; init; }

    /// <summary>Size, bytes.</summary>
    public long SizeBytes { get; init; }

    /// <summary>How much of the writing that its maker promises has been done, percent; more than 100 when it was exceeded. eMMC tells tenths, rounded up.</summary>
    public int? LifeUsedPercent { get; init; }

    /// <summary>How much of an eMMC's spare blocks is in use: <c>normal</c>, <c>warning</c> (80 %) or <c>urgent</c> (90 %).</summary>
    public string? Spare { get; init; }

    /// <summary>Whether the device's own judgement of itself (SMART) is good.</summary>
    public bool? IsHealthy { get; init; }
}
