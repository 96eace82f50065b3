using System.Globalization;

namespace EdgeVirt.Contracts.Resources;

internal static partial class WorkloadValidation
{
    private const int MostCpus = 4096;
    private const decimal TwoMebi = 2 << 20;
    private const decimal OneGibi = 1 << 30;

    private static void ValidateScheduling(ResourceRequirements? resources, string path, Validation v)
    {
        if (resources?.Cpus is { } cpus && !IsCpuList(cpus))
        {
            v.Add($"{path}.cpus", "must be a list of CPUs such as 0-2,4");
        }

        AtLeast(resources?.MemoryHigh, LeastMemory, "4Mi", $"{path}.memoryHigh", v);
        NotOver(resources?.MemoryHigh, resources?.Limits?.Memory, $"{path}.memoryHigh", v);
        Pages(resources?.Limits?.Hugepages2Mi, TwoMebi, "2Mi", $"{path}.limits.hugepages-2Mi", v);
        Pages(resources?.Limits?.Hugepages1Gi, OneGibi, "1Gi", $"{path}.limits.hugepages-1Gi", v);
        Validate(resources?.BlockIO, $"{path}.blockIO", v);
        Validate(resources?.Realtime, $"{path}.realtime", v);
    }

    private static void Validate(BlockIO? io, string path, Validation v)
    {
        if (io?.Weight is < 1 or > 10_000)
        {
            v.Add($"{path}.weight", "must be between 1 and 10000");
        }

        AtLeast(io?.ReadBytesPerSecond, 1024, "1Ki", $"{path}.rbps", v);
        AtLeast(io?.WriteBytesPerSecond, 1024, "1Ki", $"{path}.wbps", v);
        foreach (var (value, name) in new[] { (io?.ReadsPerSecond, "riops"), (io?.WritesPerSecond, "wiops") })
        {
            if (value < 1)
            {
                v.Add($"{path}.{name}", "must be at least 1");
            }
        }
    }

    private static void Validate(RealtimeScheduling? realtime, string path, Validation v)
    {
        if (realtime?.Priority is < 1 or > 99)
        {
            v.Add($"{path}.priority", "must be between 1 and 99");
        }

        if (realtime?.RealtimePeriod is < 1)
        {
            v.Add($"{path}.realtimePeriod", "must be at least 1 (microseconds)");
        }

        if (realtime?.RealtimeRuntime is { } runtime && (runtime < 1 || runtime > (realtime.RealtimePeriod ?? 1_000_000)))
        {
            v.Add($"{path}.realtimeRuntime", $"must be between 1 and the period, {realtime.RealtimePeriod ?? 1_000_000} (microseconds)");
        }
    }

    private static void Pages(Quantity? quantity, decimal size, string text, string path, Validation v)
    {
        if (quantity is { } given && (given.Value < size || given.Value % size != 0))
        {
            v.Add(path, $"must be a multiple of {text}");
        }
    }

    private static bool IsCpuList(string text) => text.Split(',').All(part =>
    {
        var ends = part.Split('-');
        return ends.Length <= 2 && ends.All(end => int.TryParse(end, NumberStyles.None, CultureInfo.InvariantCulture, out var cpu) && cpu < MostCpus) &&
            (ends.Length == 1 || int.Parse(ends[0], CultureInfo.InvariantCulture) <= int.Parse(ends[1], CultureInfo.InvariantCulture));
    });
}
