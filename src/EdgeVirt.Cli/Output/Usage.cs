using EdgeVirt.Contracts.Api;

namespace EdgeVirt.Cli.Output;

/// <summary>What a node uses now.</summary>
/// <param name="Node">Its name.</param>
/// <param name="CpuUtilization">Of all its processors together, 0 to 1; null: not known.</param>
/// <param name="MemoryBytes">In use, without what can be dropped at once.</param>
/// <param name="MemoryLimitBytes">All there is.</param>
/// <param name="Time">When the newest of these was measured.</param>
internal sealed record NodeUsage(string Node, double? CpuUtilization, long? MemoryBytes, long? MemoryLimitBytes, DateTimeOffset Time);

/// <summary>What a container uses now.</summary>
/// <param name="Node">Where.</param>
/// <param name="Workload">Of which workload.</param>
/// <param name="Container">Its name.</param>
/// <param name="CpuCores">Processors that it keeps busy, between the last two measurements; null: there are not two of one run.</param>
/// <param name="MemoryBytes">In use, without what can be dropped at once.</param>
/// <param name="Time">When the newest of these was measured.</param>
internal sealed record ContainerUsage(string Node, string Workload, string Container, double? CpuCores, long? MemoryBytes, DateTimeOffset Time);

/// <summary>The present out of telemetry's recent past.</summary>
internal static class Usage
{
    public const string CpuUtilization = "system.cpu.utilization";
    public const string SystemMemory = "system.memory.usage";
    public const string SystemMemoryLimit = "system.memory.limit";
    public const string ContainerCpu = "container.cpu.time";
    public const string ContainerMemory = "container.memory.usage";

    /// <summary>Per node, those that use most memory first.</summary>
    /// <param name="points">Of the three metrics of the system, in any order.</param>
    public static IReadOnlyList<NodeUsage> OfNodes(IEnumerable<TelemetryPoint> points) =>
    [
        .. points.GroupBy(point => point.Node).Select(node => new NodeUsage(
            node.Key,
            Last(node, CpuUtilization),
            (long?)Last(node.Where(point => Attribute(point, "system.memory.state") is "used"), SystemMemory),
            (long?)Last(node, SystemMemoryLimit),
            node.Max(point => point.Time))).OrderByDescending(node => node.MemoryBytes ?? 0).ThenBy(node => node.Node, StringComparer.Ordinal),
    ];

    /// <summary>Per container, those that use most processor time first.</summary>
    /// <param name="points">Of the two metrics of containers, in any order.</param>
    public static IReadOnlyList<ContainerUsage> OfContainers(IEnumerable<TelemetryPoint> points) =>
    [
        .. points.GroupBy(point => (point.Node, Workload: Attribute(point, "workload") ?? "", Container: Attribute(point, "container") ?? "")).Select(one => new ContainerUsage(
            one.Key.Node,
            one.Key.Workload,
            one.Key.Container,
            Rate(one.Where(point => point.Metric == ContainerCpu)),
            (long?)Last(one, ContainerMemory),
            one.Max(point => point.Time)))
            .OrderByDescending(one => one.CpuCores ?? 0).ThenByDescending(one => one.MemoryBytes ?? 0).ThenBy(one => one.Workload, StringComparer.Ordinal),
    ];

    private static double? Last(IEnumerable<TelemetryPoint> points, string metric) =>
        points.Where(point => point.Metric == metric).MaxBy(point => point.Time)?.Value;

    // Seconds that were used, per second. A count that went down began anew with the container.
    private static double? Rate(IEnumerable<TelemetryPoint> points) =>
        points.OrderByDescending(point => point.Time).Take(2).ToList() is [var last, var before] && last.Value >= before.Value && last.Time > before.Time
            ? (last.Value - before.Value) / (last.Time - before.Time).TotalSeconds
            : null;

    private static string? Attribute(TelemetryPoint point, string name) => point.Attributes?.GetValueOrDefault(name);
}
