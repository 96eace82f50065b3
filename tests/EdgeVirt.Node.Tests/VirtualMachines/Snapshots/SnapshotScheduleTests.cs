using EdgeVirt.Node.VirtualMachines.Snapshots;

namespace EdgeVirt.Node.Tests.VirtualMachines.Snapshots;

public sealed class SnapshotScheduleTests
{
    private static readonly TimeSpan Hour = TimeSpan.FromHours(1);
    private static readonly TimeSpan Long = TimeSpan.FromDays(1);
    private static readonly DateTimeOffset Noon = new(2026, 11, 27, 12, 0, 0, TimeSpan.Zero);

    [Test]
    public void The_first_waits_until_the_board_may_know_the_time()
    {
        Assert.That(SnapshotSchedule.Wait(Hour, null, Noon, TimeSpan.FromMinutes(1), null), Is.EqualTo(TimeSpan.FromMinutes(4)));
        Assert.That(SnapshotSchedule.Wait(Hour, null, Noon, TimeSpan.FromMinutes(5), null), Is.EqualTo(TimeSpan.Zero));
    }

    [Test]
    public void The_next_is_due_an_interval_after_the_last_also_across_runs_of_the_agent()
    {
        Assert.That(SnapshotSchedule.Wait(Hour, Noon, Noon + (Hour / 4), Long, Hour / 4), Is.EqualTo(Hour * 3 / 4));
        Assert.That(SnapshotSchedule.Wait(Hour, Noon, Noon + Hour, Long, Hour), Is.EqualTo(TimeSpan.Zero));
        Assert.That(SnapshotSchedule.Wait(Hour, Noon, Noon + (Hour / 2), TimeSpan.FromMinutes(10), null), Is.EqualTo(Hour / 2));
    }

    [Test]
    public void Those_that_were_missed_are_not_made_up_for()
    {
        Assert.That(SnapshotSchedule.Wait(Hour, Noon, Noon + (1000 * Hour), Long, null), Is.EqualTo(TimeSpan.Zero));
        Assert.That(SnapshotSchedule.Wait(Hour, Noon + (1000 * Hour), Noon + (1000 * Hour), Long, TimeSpan.Zero), Is.EqualTo(Hour));
    }

    // Every minute for two days, with a clock that leaps by years forth and back all the time.
    [Test]
    public void A_clock_that_leaps_takes_at_most_twice_as_many()
    {
        var random = new Random(7);
        DateTimeOffset? last = null;
        TimeSpan? taken = null;
        var (counted, count) = (TimeSpan.Zero, 0);
        for (var clock = Noon; counted < 2 * Long; counted += TimeSpan.FromMinutes(1), clock += TimeSpan.FromMinutes(1))
        {
            clock = random.Next(10) == 0 ? Noon.AddDays(random.Next(-10_000, 10_000)) : clock;
            if (SnapshotSchedule.Wait(Hour, last, clock, counted, counted - taken) == TimeSpan.Zero)
            {
                (last, taken) = (clock, counted);
                count++;
            }
        }

        Assert.That(count, Is.InRange(48, 96));
    }

    [Test]
    public void A_clock_that_went_back_does_not_stop_them()
    {
        Assert.That(SnapshotSchedule.Wait(Hour, Noon.AddYears(10), Noon, Hour, null), Is.EqualTo(TimeSpan.Zero));
        Assert.That(SnapshotSchedule.Wait(Hour, Noon.AddYears(10), Noon, Long, Hour / 2), Is.EqualTo(Hour / 2));
    }
}
