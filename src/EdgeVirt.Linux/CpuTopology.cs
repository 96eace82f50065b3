using System.Globalization;

namespace EdgeVirt.Linux;

/// <summary>A processor of the node.</summary>
/// <param name="Number">The kernel's.</param>
/// <param name="Kind">Processors of another kind differ in what programs see of them, as those of big.LITTLE do.</param>
/// <param name="Capacity">How fast it is; the fastest of the node has 1024.</param>
/// <param name="Cluster">Numbers of those that share a cache or a clock with it.</param>
/// <param name="Core">Numbers of those that are one core with it.</param>
public sealed record Cpu(int Number, string Kind, int Capacity, string Cluster, string Core);

/// <summary>What sysfs says of the node's processors.</summary>
public static class CpuTopology
{
    private const int FullCapacity = 1024;

    // MIDR_EL1 without variant and revision, which two runs of one chip differ in.
    private const ulong ImplementerAndPart = 0xFF00_FFF0;

    /// <summary>The processors that are online and that this process may use.</summary>
    public static IReadOnlyList<Cpu> Read()
    {
        var allowed = CpuAffinity.Of(Environment.ProcessId).ToHashSet();
        return [.. Read("/sys/devices/system/cpu", SystemFacts.Architecture is "arm64").Where(cpu => allowed.Contains(cpu.Number))];
    }

    /// <summary>The processors that are online.</summary>
    /// <param name="root">The directory cpu of sysfs.</param>
    /// <param name="mayDiffer">
    /// Whether different capacities mean different kinds. On x86-64 they do not: cores that differ in speed show the same to guests.
    /// </param>
    public static IReadOnlyList<Cpu> Read(string root, bool mayDiffer)
    {
        var online = CpuList.Parse(Text(Path.Combine(root, "online")) ?? "0");
        return [.. online.Select(number => One(Path.Combine(root, $"cpu{number.ToString(CultureInfo.InvariantCulture)}"), number, mayDiffer))];
    }

    private static Cpu One(string directory, int number, bool mayDiffer)
    {
        string? Of(string file) => Text(Path.Combine(directory, file));
        string? ListOf(string file) => Of(file) is { } text ? CpuList.Format(CpuList.Parse(text)) : null;

        var capacity = int.TryParse(Of("cpu_capacity"), CultureInfo.InvariantCulture, out var some) ? some : FullCapacity;
        var kind = !mayDiffer ? "" : Of("regs/identification/midr_el1") is ['0', 'x', .. var digits] && ulong.TryParse(digits, NumberStyles.HexNumber, CultureInfo.InvariantCulture, out var midr)
            ? (midr & ImplementerAndPart).ToString("x8", CultureInfo.InvariantCulture)
            : capacity.ToString(CultureInfo.InvariantCulture);
        var core = ListOf("topology/core_cpus_list") ?? ListOf("topology/thread_siblings_list") ?? CpuList.Format([number]);
        // A kernel that knows of no clusters calls each core one.
        var cluster = ListOf("topology/cluster_cpus_list") is { } known && known != core ? known
            : ListOf("cpufreq/related_cpus") is { } clocked && clocked != core ? clocked
            : ListOf("topology/package_cpus_list") ?? ListOf("topology/core_siblings_list") ?? core;
        return new Cpu(number, kind, capacity, cluster, core);
    }

    // Files of sysfs may be there and refuse to be read.
    private static string? Text(string path)
    {
        try
        {
            return File.Exists(path) && File.ReadAllText(path).Trim() is { Length: > 0 } text ? text : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
