using System.Globalization;
using System.Runtime.InteropServices;

namespace EdgeVirt.Linux;

/// <summary>Memory of this process that it can give back without losing anything.</summary>
public static partial class ProcessMemory
{
    private const int DontNeed = 4;
    private const int ArenaMax = -8;

    /// <summary>
    /// One C heap for all threads (mallopt(3), M_ARENA_MAX) instead of one for each that ever needed memory: what one frees
    /// another uses, at the price of waiting for each other now and then. To be called first of all.
    /// </summary>
    public static void ShareHeap() => _ = SetHeapOption(ArenaMax, 1);

    /// <summary>
    /// Gives free memory of the C heap back, and unmaps the pages of programs and libraries that lie unchanged on the
    /// disk: a starting program touches most of itself once and little of it again, and what is needed comes back from
    /// the page cache. Only mappings that cannot be written and hold no page of this process's own are touched.
    /// </summary>
    public static void Release()
    {
        _ = TrimHeap(0);
        foreach (var (start, length) in CleanMappings(File.ReadLines("/proc/self/smaps")))
        {
            _ = Advise(start, length, DontNeed);
        }
    }

    /// <summary>Read-only file mappings without pages of the process's own, from the lines of an smaps file.</summary>
    internal static IReadOnlyList<(nuint Start, nuint Length)> CleanMappings(IEnumerable<string> smaps)
    {
        List<(nuint, nuint)> clean = [];
        (nuint Start, nuint Length)? candidate = null;
        foreach (var line in smaps)
        {
            if (line.StartsWith("Anonymous:", StringComparison.Ordinal))
            {
                if (candidate is { } mapping && line.AsSpan("Anonymous:".Length).Trim().SequenceEqual("0 kB"))
                {
                    clean.Add(mapping);
                }

                candidate = null;
            }
            else if (line.Length > 0 && char.IsAsciiHexDigitLower(line[0]))
            {
                candidate = ReadOnlyFile(line);
            }
        }

        return clean;
    }

    // 55d0c0a00000-55d0c0a20000 r-xp 00000000 fe:00 123   /usr/bin/edgevirt-agent
    private static (nuint Start, nuint Length)? ReadOnlyFile(string line)
    {
        var fields = line.Split(' ', 6, StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        if (fields.Length < 6 || fields[1] is not ("r-xp" or "r--p") || !fields[5].StartsWith('/'))
        {
            return null;
        }

        var dash = fields[0].IndexOf('-', StringComparison.Ordinal);
        var start = nuint.Parse(fields[0].AsSpan(0, dash), NumberStyles.HexNumber, CultureInfo.InvariantCulture);
        var end = nuint.Parse(fields[0].AsSpan(dash + 1), NumberStyles.HexNumber, CultureInfo.InvariantCulture);
        return (start, end - start);
    }

    [LibraryImport("libc", EntryPoint = "mallopt")]
    private static partial int SetHeapOption(int option, int value);

    [LibraryImport("libc", EntryPoint = "malloc_trim")]
    private static partial int TrimHeap(nuint pad);

    [LibraryImport("libc", EntryPoint = "madvise", SetLastError = true)]
    private static partial int Advise(nuint start, nuint length, int advice);
}
