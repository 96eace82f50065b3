using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace EdgeVirt.Node;

/// <summary>
/// Puts the options together: defaults, then what <c>edgevirt-agent prepare</c> made of the board's settings, then the file (/etc/edgevirt/agent.json, or --config FILE), then
/// EDGEVIRT_* in the environment, then the command line.
/// </summary>
internal static class NodeOptionsReader
{
    private const string DefaultFile = "/etc/edgevirt/agent.json";
    private const string DefaultBoardFile = "/run/edgevirt/board/agent.json";

    private static readonly IReadOnlyList<Setting> Settings =
    [
        new("data-dir", (o, v) => o with { DataDir = v }),
        new("run-dir", (o, v) => o with { RunDir = v }),
        new("hub", (o, v) => o with { Hub = v }),
        new("claim-token-file", (o, v) => o with { ClaimTokenFile = v }),
        new("node-name", (o, v) => o with { NodeName = v }),
        new("workload-subnet", (o, v) => o with { WorkloadSubnet = v }),
        new("heartbeat-seconds", (o, v) => o with { HeartbeatSeconds = (int)Number("heartbeat-seconds", v, int.MaxValue) }),
        new("telemetry-interval-seconds", (o, v) => o with { TelemetryIntervalSeconds = (int)Number("telemetry-interval-seconds", v, int.MaxValue) }),
        new("outbox-max-bytes", (o, v) => o with { OutboxMaxBytes = Number("outbox-max-bytes", v, long.MaxValue) }),
        new("system-reserved-bytes", (o, v) => o with { SystemReservedBytes = Number("system-reserved-bytes", v, long.MaxValue) }),
        new("image-max-bytes-per-second", (o, v) => o with { ImageMaxBytesPerSecond = Number("image-max-bytes-per-second", v, long.MaxValue) }),
        new("telemetry-max-bytes-per-second", (o, v) => o with { TelemetryMaxBytesPerSecond = Number("telemetry-max-bytes-per-second", v, long.MaxValue) }),
    ];

    /// <summary>The options, read and checked.</summary>
    /// <param name="args">The command line.</param>
    /// <param name="environment">Looks up a variable; null where it is not set.</param>
    /// <exception cref="NodeOptionsException">Something is wrong; the message names it.</exception>
    public static NodeOptions Read(IReadOnlyList<string> args, Func<string, string?> environment)
    {
        var given = ReadArguments(args);
        var board = ReadFile(environment("EDGEVIRT_BOARD_CONFIG"), DefaultBoardFile, new NodeOptions());
        var options = ReadFile(given.GetValueOrDefault("config") ?? environment("EDGEVIRT_CONFIG"), DefaultFile, board);
        foreach (var setting in Settings)
        {
            var value = given.GetValueOrDefault(setting.Name) ?? environment(setting.Variable);
            options = string.IsNullOrEmpty(value) ? options : setting.Apply(options, value);
        }

        return options.Validated();
    }

    private static Dictionary<string, string> ReadArguments(IReadOnlyList<string> args)
    {
        Dictionary<string, string> given = [];
        for (var i = 0; i < args.Count; i++)
        {
            var (name, value) = args[i].Split('=', 2) is [var left, var right] ? (left, right) : (args[i], null);
            name = name.StartsWith("--", StringComparison.Ordinal) ? name[2..] : "";
            if (name != "config" && Settings.All(setting => setting.Name != name))
            {
                var known = string.Join(", ", Settings.Select(setting => $"--{setting.Name}"));
                throw new NodeOptionsException($"'{args[i]}' is no option. Options: --config, {known}.");
            }

            value ??= i + 1 < args.Count ? args[++i] : throw new NodeOptionsException($"--{name} wants a value.");
            given[name] = value;
        }

        return given;
    }

    private static NodeOptions ReadFile(string? path, string usual, NodeOptions options)
    {
        if (path is null && !File.Exists(usual))
        {
            return options;
        }

        path ??= usual;
        try
        {
            return (JsonSerializer.Deserialize(File.ReadAllBytes(path), NodeOptionsJson.Default.NodeOptionsFile) ?? new NodeOptionsFile()).Over(options);
        }
        catch (JsonException e)
        {
            throw new NodeOptionsException($"{path}: {e.Message}");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new NodeOptionsException($"Cannot read the configuration: {e.Message}");
        }
    }

    private static long Number(string name, string text, long most) =>
        long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number <= most
            ? number
            : throw new NodeOptionsException($"--{name} wants a whole number, not '{text}'.");

    private sealed record Setting(string Name, Func<NodeOptions, string, NodeOptions> Apply)
    {
        public string Variable { get; } = "EDGEVIRT_" + Name.ToUpperInvariant().Replace('-', '_');
    }
}

/// <summary>The file's shape. Absent keys leave the defaults, which records with defaults of their own would lose here:
/// generated code sets every init property, given or not.</summary>
internal sealed record NodeOptionsFile
{
    public string? DataDir { get; init; }

    public string? RunDir { get; init; }

    public string? Hub { get; init; }

    public string? BoardHub { get; init; }

    public string? ClaimTokenFile { get; init; }

    public string? NodeName { get; init; }

    public IReadOnlyDictionary<string, RegistryOptions>? Registries { get; init; }

    public ImagesOptionsFile? Images { get; init; }

    public LogsOptionsFile? Logs { get; init; }

    public IReadOnlyList<AllowedHostPath>? AllowedHostPaths { get; init; }

    public IReadOnlyList<DeclaredDevice>? Devices { get; init; }

    public IReadOnlyList<UplinkOptions>? Uplinks { get; init; }

    public string? WorkloadSubnet { get; init; }

    public int? HeartbeatSeconds { get; init; }

    public int? TelemetryIntervalSeconds { get; init; }

    public long? OutboxMaxBytes { get; init; }

    public int? MaxRealtimePriority { get; init; }

    public long? UserNamespaceFirstId { get; init; }

    public long? SystemReservedBytes { get; init; }

    public long? EvictionMinFreeBytes { get; init; }

    public long? MemoryMinFreeBytes { get; init; }

    public long? TelemetryMaxBytesPerSecond { get; init; }

    public long? ImageMaxBytesPerSecond { get; init; }

    public NodeOptions Over(NodeOptions options) => options with
    {
        DataDir = DataDir ?? options.DataDir,
        RunDir = RunDir ?? options.RunDir,
        Hub = Hub ?? options.Hub,
        BoardHub = BoardHub ?? options.BoardHub,
        ClaimTokenFile = ClaimTokenFile ?? options.ClaimTokenFile,
        NodeName = NodeName ?? options.NodeName,
        Registries = Registries ?? options.Registries,
        Images = Images?.Over(options.Images) ?? options.Images,
        Logs = Logs?.Over(options.Logs) ?? options.Logs,
        AllowedHostPaths = AllowedHostPaths ?? options.AllowedHostPaths,
        Devices = Devices ?? options.Devices,
        Uplinks = Uplinks ?? options.Uplinks,
        WorkloadSubnet = WorkloadSubnet ?? options.WorkloadSubnet,
        HeartbeatSeconds = HeartbeatSeconds ?? options.HeartbeatSeconds,
        TelemetryIntervalSeconds = TelemetryIntervalSeconds ?? options.TelemetryIntervalSeconds,
        OutboxMaxBytes = OutboxMaxBytes ?? options.OutboxMaxBytes,
        MaxRealtimePriority = MaxRealtimePriority ?? options.MaxRealtimePriority,
        UserNamespaceFirstId = UserNamespaceFirstId ?? options.UserNamespaceFirstId,
        SystemReservedBytes = SystemReservedBytes ?? options.SystemReservedBytes,
        EvictionMinFreeBytes = EvictionMinFreeBytes ?? options.EvictionMinFreeBytes,
        MemoryMinFreeBytes = MemoryMinFreeBytes ?? options.MemoryMinFreeBytes,
        TelemetryMaxBytesPerSecond = TelemetryMaxBytesPerSecond ?? options.TelemetryMaxBytesPerSecond,
        ImageMaxBytesPerSecond = ImageMaxBytesPerSecond ?? options.ImageMaxBytesPerSecond,
    };
}

[JsonSourceGenerationOptions(
    JsonSerializerDefaults.Web,
    UseStringEnumConverter = true,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    ReadCommentHandling = JsonCommentHandling.Skip,
    AllowTrailingCommas = true)]
[JsonSerializable(typeof(NodeOptionsFile))]
internal sealed partial class NodeOptionsJson : JsonSerializerContext;
