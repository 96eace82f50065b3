namespace EdgeVirt.Benchmarks;

/// <summary>What one says of several measurements.</summary>
internal static class Samples
{
    /// <summary>The middle one; of an even number the greater of the two in the middle.</summary>
    public static double Median(IEnumerable<double> values)
    {
        var ordered = values.Order().ToList();
        return ordered[ordered.Count / 2];
    }
}
