using EdgeVirt.Node.VirtualMachines.Memory;

namespace EdgeVirt.Node.Tests.VirtualMachines.Memory;

public sealed class BalloonPlanTests
{
    private const long MiB = 1 << 20;
    private static readonly BalloonPlan Plan = new(200 * MiB, 400 * MiB);

    [Test]
    public void Between_low_and_high_nothing_changes() =>
        Assert.That(Next(300, true, Machine(1024, 256, 512, free: 400)), Is.EqualTo((long[])[512]));

    [Test]
    public void A_short_node_takes_from_all_in_proportion_to_what_they_have_to_spare()
    {
        // 130 are missing to the middle; the first can give a step (128), the second 200-64.
        Assert.That(Next(170, false, Machine(1024, 256, 1024, free: 800), Machine(1024, 256, 1024, free: 112)), Is.EqualTo((long[])[1024 - 95, 1024 - 36]));
        Assert.That(Next(120, false, Machine(1024, 256, 1024, free: 800), Machine(1024, 256, 1024, free: 60)), Is.EqualTo((long[])[1024 - 128, 1024]), "its programs keep a sixteenth");
    }

    [Test]
    public void Nobody_goes_below_its_floor()
    {
        Assert.That(Next(10, false, Machine(1024, 1000, 1024, free: 900), Machine(1024, 1024, 1024, free: 900)), Is.EqualTo((long[])[1000, 1024]));
        Assert.That(Next(0, false, Machine(1024, 256, 256, free: 200)), Is.EqualTo((long[])[256]));
    }

    [Test]
    public void In_dire_need_guests_comfort_does_not_count_but_the_floor_does() =>
        Assert.That(Next(90, false, Machine(1024, 256, 400, free: 10), Machine(1024, 390, 400, free: 10)), Is.EqualTo((long[])[400 - 128, 390]));

    [Test]
    public void What_is_on_its_way_is_not_asked_for_twice()
    {
        Assert.That(Next(150, false, Machine(1024, 256, actual: 1024, target: 900, free: 600)), Is.EqualTo((long[])[900]));
        Assert.That(Next(150, false, Machine(1024, 256, actual: 1024, target: 900, free: 600, isDeaf: true), Machine(1024, 256, 1024, free: 600)), Is.EqualTo((long[])[900, 1024 - 128]), "one that does not follow is left, and does not count");
    }

    [Test]
    public void A_guest_that_does_not_say_what_it_needs_gives_less() =>
        Assert.That(Next(110, false, Machine(1024, 256, 1024, free: null)), Is.EqualTo((long[])[1024 - 64]));

    [Test]
    public void Memory_comes_back_slowly_and_only_after_a_while_of_plenty()
    {
        BalloonView[] short2 = [Machine(1024, 256, 512, free: 100), Machine(1024, 256, 1000, free: 100)];
        Assert.That(Plan.Next(900 * MiB, false, short2).Select(bytes => bytes / MiB), Is.EqualTo((long[])[512, 1000]));
        Assert.That(Plan.Next(900 * MiB, true, short2).Select(bytes => bytes / MiB), Is.EqualTo((long[])[512 + 64, 1024]));
        Assert.That(Plan.Next(444 * MiB, true, short2).Select(bytes => bytes / MiB), Is.EqualTo((long[])[512 + 32, 1000 + 12]), "no more than there is");
    }

    [Test]
    public void It_comes_to_rest_wherever_it_begins()
    {
        // Whatever machines give the node has, and the other way round.
        foreach (var begin in (long[])[0, 50, 150, 199, 250, 700, 3000])
        {
            var (available, machines) = (begin, (BalloonView[])[Machine(1024, 256, 1024, free: 700), Machine(512, 256, 400, free: 100)]);
            long[] before = [];
            for (var step = 0; step < 100; step++)
            {
                var next = Plan.Next(available * MiB, true, machines).Select(bytes => bytes / MiB).ToArray();
                before = [.. machines.Select(one => one.TargetBytes / MiB)];
                available -= next.Sum() - before.Sum();
                machines = [.. machines.Select((one, i) => Machine(one.Terms.SizeBytes / MiB, one.Terms.MinimumBytes / MiB, next[i], free: Math.Max(one.AvailableBytes!.Value / MiB + next[i] - before[i], 0)))];
                if (next.SequenceEqual(before))
                {
                    break;
                }
            }

            Assert.That(machines.Select(one => one.TargetBytes / MiB), Is.EqualTo(before), $"from {begin}");
            Assert.That(machines.Select(one => one.TargetBytes >= one.Terms.MinimumBytes && one.TargetBytes <= one.Terms.SizeBytes), Has.All.True);
        }
    }

    private static IEnumerable<long> Next(long available, bool mayGive, params BalloonView[] machines) => Plan.Next(available * MiB, mayGive, machines).Select(bytes => bytes / MiB);

    private static BalloonView Machine(long size, long minimum, long actual, long? free, long? target = null, bool isDeaf = false) =>
        new(new BalloonTerms(size * MiB, minimum * MiB), actual * MiB, (target ?? actual) * MiB, free * MiB, isDeaf);
}
