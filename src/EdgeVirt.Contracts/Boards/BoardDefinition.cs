namespace EdgeVirt.Contracts.Boards;

/// <summary>A kind of board, as <c>boards/&lt;name&gt;/board.json</c> states it. What builds, flashes and runs images reads it; no program decides by a board's name.</summary>
public sealed record BoardDefinition
{
    /// <summary>Name, that of its directory: lower-case letters, digits, '-' and '_'; also what RAUC calls <c>compatible</c>, after <c>edgevirt-</c>.</summary>
    public required string Name { get; init; }

    /// <summary>One line for people.</summary>
    public required string Description { get; init; }

    /// <summary>Debian's name of it.</summary>
    public required BoardArchitecture Architecture { get; init; }

    /// <summary>What starts the boot chain.</summary>
    public required BoardFirmware Firmware { get; init; }

    /// <summary>Each program from power-on to the kernel, in order.</summary>
    public required IReadOnlyList<string> BootChain { get; init; }

    /// <summary>The kernel.</summary>
    public required KernelSource Kernel { get; init; }

    /// <summary>Debian packages that this board needs beyond those of every node, such as firmware.</summary>
    public IReadOnlyList<string> Packages { get; init => field = value ?? []; } = [];

    /// <summary>Boot code on the card itself; absent: the board's firmware brings all it needs.</summary>
    public BoardBootCode? BootCode { get; init; }

    /// <summary>Device trees that belong to the slot, below the kernel's directory of them, such as <c>broadcom/bcm2711-rpi-4-b.dtb</c>; none: the firmware has one, or the board needs none.</summary>
    public IReadOnlyList<string> DeviceTrees { get; init => field = value ?? []; } = [];

    /// <summary>Kernel names of consoles, such as <c>ttyAMA0</c>, <c>tty1</c>, with the speed where it is not 115200 (<c>ttyS2,1500000n8</c>); the last is <c>/dev/console</c>.</summary>
    public required IReadOnlyList<string> Consoles { get; init; }

    /// <summary>Names that workloads may ask devices by, such as <c>modem</c>, and the device.</summary>
    public IReadOnlyDictionary<string, string>? Devices { get; init; }

    /// <summary>The hardware watchdog; absent: the board has none.</summary>
    public BoardWatchdog? Watchdog { get; init; }

    /// <summary>Its processors by kind, the fastest last; absent: one kind.</summary>
    public IReadOnlyList<CoreCluster>? Clusters { get; init; }

    /// <summary>What it stores on.</summary>
    public required BoardStorage Storage { get; init; }

    /// <summary>Name below <c>/sys/class/leds</c> of the light that tells how the node is; absent: none.</summary>
    public string? StatusLed { get; init; }

    /// <summary>What was seen working, and how.</summary>
    public required IReadOnlyList<BoardVerification> Verified { get; init; }

    /// <summary>What is missing, a sentence each.</summary>
    public IReadOnlyList<string> Missing { get; init => field = value ?? []; } = [];
}

/// <summary>Debian's names of processor architectures.</summary>
public enum BoardArchitecture
{
    /// <summary>ARM, 64 bits.</summary>
    Arm64,

    /// <summary>x86, 64 bits.</summary>
    Amd64,
}

/// <summary>What starts the boot chain.</summary>
public enum BoardFirmware
{
    /// <summary>UEFI, from the board's own flash.</summary>
    Uefi,

    /// <summary>U-Boot on the card, which offers UEFI.</summary>
    UBoot,

    /// <summary>The Raspberry Pi's own, with autoboot.txt and tryboot.</summary>
    RaspberryPi,
}

/// <summary>Where the kernel comes from.</summary>
/// <param name="Package">Debian package, such as <c>linux-image-arm64</c>.</param>
/// <param name="Suite">Debian suite, such as <c>trixie-backports</c>.</param>
public sealed record KernelSource(string Package, string Suite);

/// <summary>Boot code on the card.</summary>
/// <param name="Packages">Debian packages that it is taken from; they are not installed.</param>
/// <param name="File">End of the path of the file in them that goes to sector 64; absent: files of the boot partition alone.</param>
public sealed record BoardBootCode(IReadOnlyList<string> Packages, string? File = null);

/// <summary>A hardware watchdog.</summary>
/// <param name="Driver">Module of the kernel, such as <c>bcm2835_wdt</c>.</param>
/// <param name="TimeoutSeconds">Seconds without a sign of life after which the board is reset.</param>
public sealed record BoardWatchdog(string Driver, int TimeoutSeconds);

/// <summary>Processors of one kind.</summary>
/// <param name="Name">Such as <c>Cortex-A76</c>.</param>
/// <param name="Cpus">Their numbers, as the kernel writes lists: <c>4-7</c>.</param>
public sealed record CoreCluster(string Name, string Cpus);

/// <summary>What a board stores on.</summary>
/// <param name="MinimumBytes">Least size of the card or disk, bytes.</param>
/// <param name="Media">Such as <c>SD card</c>, <c>eMMC</c>, <c>NVMe</c>.</param>
/// <param name="SectorBytes">Bytes of a logical sector that the image is made for.</param>
public sealed record BoardStorage(long MinimumBytes, IReadOnlyList<string> Media, int SectorBytes = 512);

/// <summary>What was seen working.</summary>
/// <param name="What">Such as <c>boots, enrolls, runs a container and a virtual machine</c>.</param>
/// <param name="How">How far it was tried.</param>
public sealed record BoardVerification(string What, BoardEvidence How);

/// <summary>How far something was tried.</summary>
public enum BoardEvidence
{
    /// <summary>The image is built.</summary>
    Built,

    /// <summary>It was booted on an emulated board.</summary>
    BootedInEmulation,

    /// <summary>It was booted on the board itself.</summary>
    OnHardware,
}
