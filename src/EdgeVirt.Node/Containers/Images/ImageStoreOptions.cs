using System.Runtime.InteropServices;
using EdgeVirt.Node.Containers.Images.Registries;
using EdgeVirt.Node.Networks;

namespace EdgeVirt.Node.Containers.Images;

/// <summary>Where images lie and what they may cost.</summary>
internal sealed record ImageStoreOptions
{
    /// <summary>Absolute; holds <c>blobs</c>, <c>partial</c>, <c>layers</c> and <c>refs</c>. Only root may enter it.</summary>
    public required string ImagesDirectory { get; init; }

    /// <summary>Absolute; where damaged files are put aside.</summary>
    public required string QuarantineDirectory { get; init; }

    /// <summary>By registry host as image references write it. A host without an entry is asked by https, without credentials.</summary>
    public IReadOnlyDictionary<string, RegistryAccess> Registries { get; init; } = new Dictionary<string, RegistryAccess>();

    public ImagePlatform Platform { get; init; } = ImagePlatform.OfThisNode;

    public UnpackLimits Limits { get; init; } = new();

    /// <summary>
    /// Keep compressed layers after they are unpacked. Off: flash is small, the unpacked layer is what
    /// containers use, and a layer that is lost is fetched again by its digest.
    /// </summary>
    public bool KeepCompressedLayers { get; init; }

    /// <summary>How many layers of an image are fetched side by side.</summary>
    public int MaxConcurrentDownloads { get; init; } = 3;

    /// <summary>Most that all downloads together take per second, bytes; 0: as much as the link gives.</summary>
    public long MaxBytesPerSecond { get; init; }

    /// <summary>What the board's links cost.</summary>
    public Uplinks Uplinks { get; init; } = new([]);

    /// <summary>Most that an uplink may cost which pulls use, unless their terms say otherwise; null: whatever it costs.</summary>
    public int? MaxUplinkCost { get; init; }

    public ImageGarbagePolicy Garbage { get; init; } = new();

    /// <summary>How full the disk of a directory is; tests have disks of their own.</summary>
    public Func<string, DiskSpace> MeasureDisk { get; init; } = DiskSpace.Of;

    public RetryLimits Retry { get; init; } = new();
}

/// <summary>How to reach one registry.</summary>
internal sealed record RegistryAccess
{
    /// <summary><c>https://host[:port]</c> or <c>http://host[:port]</c>.</summary>
    public required Uri Url { get; init; }

    /// <summary>
    /// Asked before <see cref="Url"/>, in this order. A path is put before the repository's name. How a mirror is reached
    /// (CA, credentials) stands under its own host.
    /// </summary>
    public IReadOnlyList<Uri> Mirrors { get; init; } = [];

    /// <summary>PEM file with the only authorities trusted for this registry; null: those of the system.</summary>
    public string? CaFile { get; init; }

    /// <summary>What the way there may cost; null: whatever it costs.</summary>
    public UplinkLimit? Uplink { get; init; }

    public string? Username { get; init; }

    /// <summary>File whose first line is the password.</summary>
    public string? PasswordFile { get; init; }

    /// <summary>Where a registry without a stated address is: https, and for docker.io the host that Docker's clients ask.</summary>
    public static Uri DefaultUrl(string host) => new($"https://{(host == "docker.io" ? "registry-1.docker.io" : host)}");
}

/// <summary>Bounds on what an image may become on disk.</summary>
internal sealed record UnpackLimits
{
    /// <summary>Of all layers of an image together, tar headers included.</summary>
    public long MaxUnpackedBytes { get; init; } = 8L << 30;

    /// <summary>Of one layer.</summary>
    public int MaxEntries { get; init; } = 500_000;

    /// <summary>Unpacked to compressed, of one layer; looked at from <see cref="RatioFloorBytes"/> on. Real layers stay below 20.</summary>
    public int MaxRatio { get; init; } = 250;

    public long RatioFloorBytes { get; init; } = 64L << 20;

    /// <summary>The disk is never filled beyond this many free bytes.</summary>
    public long MinFreeBytes { get; init; } = 256L << 20;
}

/// <summary>How long a registry out of reach is tried within one pull.</summary>
internal sealed record RetryLimits
{
    /// <summary>In a row, without a byte gained between them.</summary>
    public int Attempts { get; init; } = 5;

    public TimeSpan FirstDelay { get; init; } = TimeSpan.FromSeconds(1);

    public TimeSpan MaxDelay { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>A connection that gives no byte for so long is cut.</summary>
    public TimeSpan IdleTimeout { get; init; } = TimeSpan.FromSeconds(30);
}

/// <summary>What the node can run, in the words of the OCI image index.</summary>
internal sealed record ImagePlatform(string Architecture, IReadOnlyList<string> Variants)
{
    public const string OperatingSystem = "linux";

    /// <summary>Variants in the order of preference; the empty one is an image that names none.</summary>
    public static ImagePlatform OfThisNode { get; } = RuntimeInformation.OSArchitecture switch
    {
        System.Runtime.InteropServices.Architecture.X64 => new("amd64", ["v1", ""]),
        System.Runtime.InteropServices.Architecture.Arm64 => new("arm64", ["v8", ""]),
        System.Runtime.InteropServices.Architecture.Arm => new("arm", ["v7", "v6", "v5", ""]),
        var other => new(other.ToString().ToLowerInvariant(), [""]),
    };
}
