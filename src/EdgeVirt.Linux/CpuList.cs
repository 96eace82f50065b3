using System.Globalization;

namespace EdgeVirt.Linux;

/// <summary>Numbers of processors as the kernel writes them, e.g. <c>0-3,8</c> (cpuset(7), List format).</summary>
public static class CpuList
{
    /// <summary>Reads a list; spaces part numbers too, as in cpufreq's files. What is no number is passed over.</summary>
    public static IReadOnlyList<int> Parse(string text)
    {
        List<int> numbers = [];
        foreach (var part in text.Split((char[])[',', ' ', '\n'], StringSplitOptions.RemoveEmptyEntries))
        {
            var ends = part.Split('-');
            if (ends.Length <= 2 && int.TryParse(ends[0], NumberStyles.None, CultureInfo.InvariantCulture, out var first) &&
                int.TryParse(ends[^1], NumberStyles.None, CultureInfo.InvariantCulture, out var last) && last - first < CpuAffinity.MostCpus)
            {
                for (var number = first; number <= last; number++)
                {
                    numbers.Add(number);
                }
            }
        }

        return numbers;
    }

    /// <summary>Writes a list, in rising order.</summary>
    public static string Format(IEnumerable<int> numbers)
    {
        List<string> parts = [];
        var sorted = numbers.Distinct().Order().ToList();
        for (var i = 0; i < sorted.Count;)
        {
            var end = i;
            while (end + 1 < sorted.Count && sorted[end + 1] == sorted[end] + 1)
            {
                end++;
            }

            parts.Add(end == i ? Invariant(sorted[i]) : $"{Invariant(sorted[i])}-{Invariant(sorted[end])}");
            i = end + 1;
        }

        return string.Join(',', parts);
    }

    private static string Invariant(int number) => number.ToString(CultureInfo.InvariantCulture);
}
