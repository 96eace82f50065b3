namespace EdgeVirt.Contracts.Resources;

/// <summary>What a virtual machine's SMBIOS tables say. Manufacturer, product and UUID are the node's to say.</summary>
public sealed record VirtualSmbiosSpec
{
    /// <summary>Serial number of the system (type 1); one line of up to 64 characters, as all of these.</summary>
    public string? Serial { get; init; }

    /// <summary>Its stock-keeping number (type 1).</summary>
    public string? Sku { get; init; }

    /// <summary>Its family (type 1).</summary>
    public string? Family { get; init; }

    /// <summary>Its version (type 1).</summary>
    public string? Version { get; init; }

    /// <summary>Strings of type 11, as systemd takes credentials from: <c>io.systemd.credential:NAME=VALUE</c>.</summary>
    public IReadOnlyList<VirtualText>? OemStrings { get; init; }
}

/// <summary>A text, or where it comes from: exactly one of both.</summary>
public record VirtualText
{
    /// <summary>The text itself.</summary>
    public string? Value { get; init; }

    /// <summary>The key of a Secret or Config that has it.</summary>
    public EnvVarSource? ValueFrom { get; init; }
}

/// <summary>One entry of QEMU's firmware configuration device.</summary>
public sealed record FirmwareConfigSpec : VirtualText
{
    /// <summary>Below <c>opt/</c>, best with a domain that is yours, e.g. <c>opt/org.example/site</c>; up to 55 characters.</summary>
    public required string Name { get; init; }
}

/// <summary>What Ignition is told: exactly one of both.</summary>
public sealed record IgnitionSpec
{
    /// <summary>The configuration itself, JSON.</summary>
    public string? Config { get; init; }

    /// <summary>The Secret that has it under the key <c>ignition</c>.</summary>
    public LocalObjectReference? ConfigSecret { get; init; }
}

/// <summary>A watchdog of the model i6300esb.</summary>
public sealed record VirtualWatchdogSpec
{
    /// <summary>What happens when the guest no longer feeds it; absent: <see cref="VirtualWatchdogAction.Reset"/>.</summary>
    public VirtualWatchdogAction? Action { get; init; }
}

/// <summary>What an expired watchdog does to its guest.</summary>
public enum VirtualWatchdogAction
{
    /// <summary>Its reset button.</summary>
    Reset,

    /// <summary>Its power is cut; what comes then says the restart policy.</summary>
    Poweroff,

    /// <summary>It stands still, to be looked at; Paused and Running again lets it go on.</summary>
    Pause,
}

/// <summary>A TPM 2.0 that swtpm emulates.</summary>
public sealed record VirtualTpmSpec
{
    /// <summary>How the guest speaks to it; absent: <see cref="VirtualTpmModel.Crb"/> on q35, <see cref="VirtualTpmModel.Tis"/> on virt.</summary>
    public VirtualTpmModel? Model { get; init; }
}

/// <summary>Interfaces of a TPM.</summary>
public enum VirtualTpmModel
{
    /// <summary>Command response buffer; x86-64 only.</summary>
    Crb,

    /// <summary>FIFO.</summary>
    Tis,
}
