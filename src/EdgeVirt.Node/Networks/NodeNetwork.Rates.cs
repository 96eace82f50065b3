using System.Globalization;
using EdgeVirt.Linux;

namespace EdgeVirt.Node.Networks;

/// <summary>What a link of a machine may carry.</summary>
/// <param name="Tap">Its name.</param>
/// <param name="ToGuest">Bits per second; null: no limit.</param>
/// <param name="FromGuest">Bits per second; null: no limit.</param>
internal sealed record LinkLimit(string Tap, long? ToGuest, long? FromGuest);

/// <summary>
/// Limits of machines' links by token buckets (tc-tbf(8)). The kernel delays only what it sends: what comes from a guest goes over a
/// link of kind ifb first, as Kubernetes' bandwidth plugin does it, so that it waits instead of being lost.
/// </summary>
internal sealed partial class NodeNetwork
{
    private const string ShaperPrefix = "vi";

    // Longest that a packet waits, and how long a card that was idle may send at full speed.
    private const int WaitMilliseconds = 50;
    private const int BurstMilliseconds = 20;

    // A packet of a guest has up to 64 KiB; the kernel cuts those up that are longer than a burst.
    private const long LeastBurst = 32 << 10;
    private const long MostBurst = 16 << 20;

    /// <summary>Name of the link that what comes from a tap goes over.</summary>
    public static string ShaperOf(string tap) => ShaperPrefix + tap[TapPrefix.Length..];

    /// <summary>Sets limits of links that are there, whatever they had before.</summary>
    /// <exception cref="IOException">A tool or the kernel refused.</exception>
    public async Task LimitTapsAsync(IReadOnlyList<LinkLimit> limits, CancellationToken ct)
    {
        foreach (var limit in limits)
        {
            if (limit.ToGuest is { } to)
            {
                await TcAsync($"qdisc replace dev {limit.Tap} root handle 1: {Bucket(to)}\n", ct);
            }

            if (limit.FromGuest is not { } from)
            {
                continue;
            }

            await RemoveShapersAsync([limit.Tap], ct);
            // One of an earlier run leads to a link that is gone.
            await OnHostAsync("tc", ["qdisc", "delete", "dev", limit.Tap, "ingress"], default, ct, check: false);
            var shaper = ShaperOf(limit.Tap);
            await BatchAsync($"link add {shaper} type ifb\nlink set {shaper} up\n", ct);
            await TcAsync(
                $"""
                qdisc add dev {shaper} root handle 1: {Bucket(from)}
                qdisc add dev {limit.Tap} handle ffff: ingress
                filter add dev {limit.Tap} parent ffff: protocol all prio 1 u32 match u32 0 0 action mirred egress redirect dev {shaper}

                """,
                ct);
        }
    }

    /// <summary>Removes what does not go with a link by itself. Nothing there is no failure.</summary>
    public async Task RemoveShapersAsync(IReadOnlyList<string> taps, CancellationToken ct)
    {
        List<string> left = [.. taps.Select(ShaperOf).Where(HasLink)];
        if (left.Count > 0)
        {
            await BatchAsync(string.Concat(left.Select(shaper => $"link delete {shaper}\n")), ct, force: true);
        }
    }

    private static string Bucket(long bits) => string.Create(
        CultureInfo.InvariantCulture, $"tbf rate {bits}bit burst {Math.Clamp(bits / 8 * BurstMilliseconds / 1000, LeastBurst, MostBurst)} latency {WaitMilliseconds}ms");

    private Task<ProcessResult> TcAsync(string commands, CancellationToken ct) => OnHostAsync("tc", ["-batch", "-"], Batch(commands), ct);
}
