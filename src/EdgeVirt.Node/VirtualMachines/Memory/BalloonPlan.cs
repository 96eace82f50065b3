namespace EdgeVirt.Node.VirtualMachines.Memory;

/// <summary>How far a machine's balloon may go.</summary>
/// <param name="SizeBytes">What the guest has when nothing is taken.</param>
/// <param name="MinimumBytes">What it keeps whatever happens.</param>
internal sealed record BalloonTerms(long SizeBytes, long MinimumBytes);

/// <summary>A machine whose memory may be taken and given back.</summary>
/// <param name="Terms">How far.</param>
/// <param name="ActualBytes">What the guest has.</param>
/// <param name="TargetBytes">What it was asked to have; it takes a while to follow.</param>
/// <param name="AvailableBytes">What its programs could still get; null: its guest does not say.</param>
/// <param name="IsDeaf">It has not followed for a while: no driver, or it stands still.</param>
internal sealed record BalloonView(BalloonTerms Terms, long ActualBytes, long TargetBytes, long? AvailableBytes, bool IsDeaf);

/// <summary>
/// What guests are to have, for the memory that the node has left. Pure. Below <paramref name="LowBytes"/> memory is taken from all that have some to
/// spare, in proportion to that; above <paramref name="HighBytes"/> it is given back, slowly. Between both nothing changes.
/// </summary>
internal sealed record BalloonPlan(long LowBytes, long HighBytes)
{
    private const long MiB = 1 << 20;

    // Most that one step takes or gives: guests have to find the pages, and the node is looked at again after it.
    private const int TakenPerStep = 8;
    private const int GivenPerStep = 16;

    // What is left to a guest's programs, of its size; all of it is taken only when the node is about to kill somebody.
    private const int Comfort = 16;

    /// <summary>One step.</summary>
    /// <param name="available">Bytes that programs of the node could still get.</param>
    /// <param name="mayGive">There was enough for some time.</param>
    /// <param name="machines">Those with a balloon.</param>
    /// <returns>For each what it is to have from now on, whole MiB.</returns>
    public IReadOnlyList<long> Next(long available, bool mayGive, IReadOnlyList<BalloonView> machines)
    {
        var coming = machines.Where(one => !one.IsDeaf).Sum(one => Math.Max(one.ActualBytes - one.TargetBytes, 0));
        if (available + coming < LowBytes)
        {
            var needed = LowBytes + ((HighBytes - LowBytes) / 2) - available - coming;
            return Share(machines, needed, [.. machines.Select(one => Spare(one, isDire: available < LowBytes / 2))], sign: -1);
        }

        return available > HighBytes && mayGive
            ? Share(machines, available - HighBytes, [.. machines.Select(one => Math.Min(one.Terms.SizeBytes - one.TargetBytes, one.Terms.SizeBytes / GivenPerStep))], sign: 1)
            : [.. machines.Select(one => one.TargetBytes)];
    }

    private static long Spare(BalloonView machine, bool isDire)
    {
        if (machine.IsDeaf)
        {
            return 0;
        }

        var comfort = machine.Terms.SizeBytes / Comfort;
        var spare = isDire ? long.MaxValue : machine.AvailableBytes is { } free ? free - comfort - Math.Max(machine.ActualBytes - machine.TargetBytes, 0) : comfort;
        return Math.Max(Math.Min(Math.Min(machine.TargetBytes - machine.Terms.MinimumBytes, machine.Terms.SizeBytes / TakenPerStep), spare), 0);
    }

    // Each its part of an amount, no more than what it can take or give.
    private static IReadOnlyList<long> Share(IReadOnlyList<BalloonView> machines, long amount, IReadOnlyList<long> most, int sign)
    {
        var all = (decimal)most.Sum();
        return
        [
            .. machines.Select((one, i) =>
            {
                var part = all <= amount ? most[i] : (long)Math.Ceiling(most[i] * amount / all / MiB) * MiB;
                // The floor holds to the byte, the rest is whole MiB.
                return one.TargetBytes + (sign * (Math.Min(part, most[i]) / MiB * MiB));
            }),
        ];
    }
}
