using System.Globalization;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Linux;

namespace EdgeVirt.Node.Containers.Oci;

/// <summary>Turns what a container may use into <c>linux.resources</c> of the runtime's config. What cannot be enforced here is left out. Pure.</summary>
internal static class ResourceConfig
{
    private const ulong CpuPeriod = 100_000;

    /// <param name="resources">What the spec says.</param>
    /// <param name="devices">Rules for devices.</param>
    /// <param name="features">What can be enforced.</param>
    public static SpecResources Make(ResourceRequirements? resources, IReadOnlyList<SpecDevice> devices, RuntimeFeatures features)
    {
        var limits = resources?.Limits;
        var isUnified = features.Layout == CgroupLayout.Unified;
        return new SpecResources
        {
            Devices = devices,
            Cpu = CpuOf(resources, features),
            Memory = limits?.Memory is { } memory && features.Has(Enforcement.Memory) ? new SpecMemory((long)memory.Value) : null,
            Pids = limits?.Pids is { } pids && features.Has(Enforcement.Pids) ? new SpecPids(pids) : null,
            HugepageLimits = features.Has(Enforcement.HugePages) ? HugepagesOf(limits) : null,
            BlockIO = !isUnified && features.Has(Enforcement.IoMax) ? ThrottlesOf(resources?.BlockIO, features.Disk) : null,
            Unified = isUnified ? UnifiedOf(resources, features) : null,
        };
    }

    /// <summary>Limits of the process itself.</summary>
    public static IReadOnlyList<SpecRlimit>? RlimitsOf(ResourceRequirements? resources, RuntimeFeatures features) =>
        resources?.Realtime is { } realtime && features.Has(Enforcement.Realtime) && realtime.Priority <= features.MaxRealtimePriority
            ? [new SpecRlimit("RLIMIT_RTPRIO", (ulong)realtime.Priority, (ulong)realtime.Priority)]
            : null;

    private static SpecCpu? CpuOf(ResourceRequirements? resources, RuntimeFeatures features)
    {
        var pinned = features.Has(Enforcement.CpuSet) ? resources?.Cpus : null;
        if (!features.Has(Enforcement.Cpu))
        {
            return pinned is null ? null : new SpecCpu(0) { Cpus = pinned };
        }

        var realtime = RlimitsOf(resources, features) is not null && features.Has(Enforcement.RealtimeGroups) ? resources!.Realtime : null;
        var limit = resources?.Limits?.Cpu;
        return new SpecCpu(QualityOfService.CpuSharesOf(resources), limit is { } cpu ? (long)(cpu.Value * CpuPeriod) : null, limit is null ? null : CpuPeriod)
        {
            Cpus = pinned,
            RealtimeRuntime = realtime?.RealtimeRuntime,
            RealtimePeriod = (ulong?)realtime?.RealtimePeriod,
        };
    }

    private static SpecHugepageLimit[]? HugepagesOf(ResourceLimits? limits)
    {
        SpecHugepageLimit[] all =
        [
            .. limits?.Hugepages2Mi is { } two ? [new SpecHugepageLimit("2MB", (ulong)two.Value)] : (SpecHugepageLimit[])[],
            .. limits?.Hugepages1Gi is { } one ? [new SpecHugepageLimit("1GB", (ulong)one.Value)] : (SpecHugepageLimit[])[],
        ];
        return all.Length > 0 ? all : null;
    }

    private static SpecBlockIO? ThrottlesOf(BlockIO? io, DeviceNumber? disk) => io is { HasLimit: true } && disk is { } at
        ? new SpecBlockIO
        {
            ThrottleReadBpsDevice = RateOf(io.ReadBytesPerSecond?.Value, at),
            ThrottleWriteBpsDevice = RateOf(io.WriteBytesPerSecond?.Value, at),
            ThrottleReadIOPSDevice = RateOf(io.ReadsPerSecond, at),
            ThrottleWriteIOPSDevice = RateOf(io.WritesPerSecond, at),
        }
        : null;

    private static SpecThrottle[]? RateOf(decimal? rate, DeviceNumber disk) => rate is { } given ? [new SpecThrottle(disk.Major, disk.Minor, (ulong)given)] : null;

    private static Dictionary<string, string>? UnifiedOf(ResourceRequirements? resources, RuntimeFeatures features)
    {
        var files = new Dictionary<string, string>();
        if (resources?.MemoryHigh is { } high && features.Has(Enforcement.MemoryHigh))
        {
            files["memory.high"] = ((long)high.Value).ToString(CultureInfo.InvariantCulture);
        }

        if (resources?.BlockIO?.Weight is { } weight && features.Has(Enforcement.IoWeight))
        {
            files["io.weight"] = string.Create(CultureInfo.InvariantCulture, $"default {weight}");
        }

        if (resources?.BlockIO is { HasLimit: true } io && features.Disk is { } disk && features.Has(Enforcement.IoMax))
        {
            (string Word, decimal? Value)[] rates =
                [("rbps", io.ReadBytesPerSecond?.Value), ("wbps", io.WriteBytesPerSecond?.Value), ("riops", io.ReadsPerSecond), ("wiops", io.WritesPerSecond)];
            var said = rates.Where(rate => rate.Value is not null).Select(rate => string.Create(CultureInfo.InvariantCulture, $"{rate.Word}={(long)rate.Value!}"));
            files["io.max"] = $"{disk} {string.Join(' ', said)}";
        }

        return files.Count > 0 ? files : null;
    }
}
