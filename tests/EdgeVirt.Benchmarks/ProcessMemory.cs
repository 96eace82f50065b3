using System.Globalization;

namespace EdgeVirt.Benchmarks;

/// <summary>Memory of processes as the kernel counts it.</summary>
internal static class ProcessMemory
{
    /// <summary>Proportional set size of a process, bytes: what several share counts for each in part.</summary>
    public static long Pss(int process)
    {
        var line = File.ReadLines($"/proc/{process}/smaps_rollup").First(candidate => candidate.StartsWith("Pss:", StringComparison.Ordinal));
        return Bytes(line.Split(' ', StringSplitOptions.RemoveEmptyEntries));
    }

    /// <summary>Resident memory of all mappings but one, bytes.</summary>
    /// <param name="process">Its id.</param>
    /// <param name="mapping">How long the one is that is left out, bytes; told from others by that.</param>
    /// <exception cref="InvalidOperationException">It has none of that length, or nothing of it is resident.</exception>
    public static long ResidentBeside(int process, long mapping)
    {
        var (total, left, isLeft) = (0L, 0L, false);
        foreach (var line in File.ReadLines($"/proc/{process}/smaps"))
        {
            var fields = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            if (fields[0] == "Size:")
            {
                isLeft = Bytes(fields) == mapping;
            }
            else if (fields[0] == "Rss:")
            {
                total += Bytes(fields);
                left += isLeft ? Bytes(fields) : 0;
            }
        }

        return left > 0 ? total - left : throw new InvalidOperationException($"process {process} has no mapping of {mapping} bytes");
    }

    private static long Bytes(string[] fields) => long.Parse(fields[1], CultureInfo.InvariantCulture) * 1024;
}
