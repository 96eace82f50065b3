using System.Globalization;

namespace EdgeVirt.Benchmarks;

/// <summary>Memory of processes as the kernel counts it.</summary>
internal static class ProcessMemory
{
    /// <summary>Proportional set size of a process, bytes: what several share counts for each in part.</summary>
    public static long Pss(int process)
    {
        var line = File.ReadLines($"/proc/{process}/smaps_rollup").First(candidate => candidate.StartsWith("Pss:", StringComparison.Ordinal));
        return long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) * 1024;
    }
}
