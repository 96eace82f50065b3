using System.Net;
using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Node;

/// <summary>
/// Everything that can be told to the agent, read once at start by <see cref="NodeOptionsReader"/> and checked by
/// <see cref="NodeOptionsValidation"/>. Immutable; registered as itself.
/// </summary>
internal sealed record NodeOptions
{
    /// <summary>What outlives a reboot: identity, state, images, containers, outbox.</summary>
    public string DataDir { get; init; } = "/var/lib/edgevirt";

    /// <summary>What does not: control socket, namespaces, the ready mark.</summary>
    public string RunDir { get; init; } = "/run/edgevirt";

    /// <summary>host:port of the hub's node port. Absent: as enrolled, or none until a technician enrolls.</summary>
    public string? Hub { get; init; }

    /// <summary>host:port that the board's settings name. Enrolls where <see cref="Hub"/> says nothing; unlike that it never moves a node that is enrolled elsewhere.</summary>
    public string? BoardHub { get; init; }

    /// <summary>A file that holds a claim token; removed once the token was used.</summary>
    public string? ClaimTokenFile { get; init; }

    /// <summary>The name asked for at enrollment; absent: the hub chooses.</summary>
    public string? NodeName { get; init; }

    /// <summary>How to reach registries, by the host that image references name.</summary>
    public IReadOnlyDictionary<string, RegistryOptions> Registries { get; init; } = new Dictionary<string, RegistryOptions>();

    /// <summary>How images are fetched and kept.</summary>
    public ImagesOptions Images { get; init; } = new();

    /// <summary>How much of containers' output is kept.</summary>
    public LogsOptions Logs { get; init; } = new();

    /// <summary>What workloads may have of the node's own file system; nothing by default.</summary>
    public IReadOnlyList<AllowedHostPath> AllowedHostPaths { get; init; } = [];

    /// <summary>Devices that this board calls by a name.</summary>
    public IReadOnlyList<DeclaredDevice> Devices { get; init; } = [];

    /// <summary>What the board's links to the outside cost.</summary>
    public IReadOnlyList<UplinkOptions> Uplinks { get; init; } = [];

    /// <summary>IPv4 subnet of the bridge that workloads share, at least a /29.</summary>
    public string WorkloadSubnet { get; init; } = "10.88.0.0/16";

    /// <summary>Seconds between two signs of life.</summary>
    public int HeartbeatSeconds { get; init; } = 30;

    /// <summary>Seconds between two readings of every collector.</summary>
    public int TelemetryIntervalSeconds { get; init; } = 10;

    /// <summary>Cap of the outbox on disk, bytes; the oldest records go first.</summary>
    public long OutboxMaxBytes { get; init; } = 64L << 20;

    /// <summary>Most that telemetry may send per second, bytes, for thin links; 0: as much as the link takes.</summary>
    public long TelemetryMaxBytesPerSecond { get; init; }

    /// <summary>Highest real-time priority that workloads may give their processes, 0 to 99; 0: none.</summary>
    public int MaxRealtimePriority { get; init; }

    /// <summary>First of the ids of the node that workloads with <c>hostUsers: false</c> get, 65,536 each; a multiple of that.</summary>
    public long UserNamespaceFirstId { get; init; } = 1L << 30;

    /// <summary>Memory that workloads together leave to the agent and the system, bytes, as the kubelet's systemReserved.</summary>
    public long SystemReservedBytes { get; init; } = 128L << 20;

    /// <summary>
    /// Free bytes of the data partition below which workloads are evicted, as the kubelet's evictionHard nodefs.available; 0: never.
    /// Less than what images leave free, so that it is workloads' own writing that leads there.
    /// </summary>
    public long EvictionMinFreeBytes { get; init; } = 128L << 20;

    /// <summary>Memory that is to be available on the node, bytes: below it machines with a <c>memory.minimum</c> are asked for theirs; 0: never.</summary>
    public long MemoryMinFreeBytes { get; init; } = 128L << 20;

    /// <summary>Most that pulling images may take per second, bytes, for thin links; 0: as much as the link takes.</summary>
    public long ImageMaxBytesPerSecond { get; init; }

    /// <summary>Below <see cref="DataDir"/>.</summary>
    public string IdentityDirectory => Path.Combine(DataDir, "identity");

    /// <summary>Below <see cref="DataDir"/>.</summary>
    public string StateDirectory => Path.Combine(DataDir, "state");

    /// <summary>Below <see cref="DataDir"/>: damaged files, kept for a look.</summary>
    public string QuarantineDirectory => Path.Combine(DataDir, "quarantine");
}

/// <summary>How to reach one registry.</summary>
internal sealed record RegistryOptions
{
    /// <summary>Base address, http or https; absent: https and the host as named.</summary>
    public string? Url { get; init; }

    /// <summary>Base addresses asked before the registry, in this order; a path goes before the repository's name.</summary>
    public IReadOnlyList<string>? Mirrors { get; init; }

    /// <summary>PEM file of the authority that signed its certificate; absent: the system's authorities.</summary>
    public string? CaFile { get; init; }

    /// <summary>For basic or token authentication.</summary>
    public string? Username { get; init; }

    /// <summary>A file that holds the password.</summary>
    public string? PasswordFile { get; init; }
}

/// <summary>The agent cannot start as it was told to. The message says what to change.</summary>
internal sealed class NodeOptionsException(string message) : Exception(message);

internal static class NodeOptionsValidation
{
    /// <summary>Returns <paramref name="options"/>, or says everything that is wrong with them at once.</summary>
    /// <exception cref="NodeOptionsException">Something is.</exception>
    public static NodeOptions Validated(this NodeOptions options)
    {
        List<string> faults = [];
        Check(Path.IsPathFullyQualified(options.DataDir), "dataDir must be an absolute path");
        Check(Path.IsPathFullyQualified(options.RunDir), "runDir must be an absolute path");
        Check(
            options.RunDir.Length <= 90,
            "runDir must be at most 90 characters, because the path of a Unix socket in it must stay below 108");
        Check(options.Hub is null || HubAddress.TryParse(options.Hub, out _), "hub must be host:port, e.g. hub.example.com:8444");
        Check(options.NodeName is null || ResourceName.IsValid(options.NodeName), $"nodeName '{options.NodeName}' must be a DNS label");
        Check(IsSubnet(options.WorkloadSubnet), "workloadSubnet must be an IPv4 subnet of at least 8 addresses, e.g. 10.88.0.0/16");
        Check(options.HeartbeatSeconds is >= 1 and <= 3600, "heartbeatSeconds must be between 1 and 3600");
        Check(options.TelemetryIntervalSeconds is >= 1 and <= 3600, "telemetryIntervalSeconds must be between 1 and 3600");
        Check(options.OutboxMaxBytes >= 1 << 20, "outboxMaxBytes must be at least 1048576");
        Check(options.SystemReservedBytes is >= 0 and < (1L << 50), "systemReservedBytes must be between 0 and 1 PiB");
        Check(options.EvictionMinFreeBytes >= 0, "evictionMinFreeBytes must not be negative");
        Check(options.MemoryMinFreeBytes is >= 0 and < (1L << 50), "memoryMinFreeBytes must be between 0 and 1 PiB");
        Check(options.MaxRealtimePriority is >= 0 and <= 99, "maxRealtimePriority must be between 0 and 99");
        Check(
            options.UserNamespaceFirstId is >= 1 << 16 and <= 0xF000_0000 && options.UserNamespaceFirstId % (1 << 16) == 0,
            "userNamespaceFirstId must be a multiple of 65536 between 65536 and 4026531840");
        Check(options.TelemetryMaxBytesPerSecond is 0 or >= 1024, "telemetryMaxBytesPerSecond must be 0 or at least 1024");
        Check(options.ImageMaxBytesPerSecond is 0 or >= 1024, "imageMaxBytesPerSecond must be 0 or at least 1024");
        faults.AddRange(options.Images.Faults());
        faults.AddRange(options.Logs.Faults());
        faults.AddRange(DeclaredDevice.Faults(options.Devices));
        faults.AddRange(UplinkOptions.Faults(options.Uplinks));
        faults.AddRange(AllowedHostPath.Faults(options.AllowedHostPaths));
        foreach (var (host, registry) in options.Registries)
        {
            Check(
                registry.Url is null || IsWeb(registry.Url),
                $"registries.{host}.url must start with http:// or https://, without user, query or fragment");
            for (var i = 0; i < (registry.Mirrors?.Count ?? 0); i++)
            {
                Check(IsWeb(registry.Mirrors![i]), $"registries.{host}.mirrors[{i}] must start with http:// or https://, without user, query or fragment");
            }

            Check(
                registry.Username is null == registry.PasswordFile is null,
                $"registries.{host} needs username and passwordFile, or neither");
        }

        return faults.Count == 0 ? options : throw new NodeOptionsException(string.Join("; ", faults) + ".");

        void Check(bool holds, string fault)
        {
            if (!holds)
            {
                faults.Add(fault);
            }
        }
    }

    private static bool IsWeb(string text) =>
        Uri.TryCreate(text, UriKind.Absolute, out var url) && url.Scheme is "http" or "https" && url is { UserInfo: "", Query: "", Fragment: "" };

    private static bool IsSubnet(string text) =>
        IPNetwork.TryParse(text, out var network)
        && network.BaseAddress.AddressFamily == System.Net.Sockets.AddressFamily.InterNetwork
        && network.PrefixLength is >= 8 and <= 29;
}
