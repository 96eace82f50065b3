using EdgeVirt.Contracts.Protos;
using EdgeVirt.Hub.Telemetry;

namespace EdgeVirt.Hub.Tests.Telemetry;

public sealed class RecordDatingTests
{
    private static readonly DateTimeOffset Now = new(2026, 6, 1, 12, 0, 0, TimeSpan.Zero);

    [Test]
    public void Believes_a_clock_that_can_be_right()
    {
        var time = Now.AddDays(-3).ToUnixTimeMilliseconds();
        var (times, boot, begin) = RecordDating.Date([Record(time, "a", 5000)], "", 0, Now);
        Assert.That(times, Is.EqualTo(new[] { time }));
        Assert.That((boot, begin), Is.EqualTo(("a", time - 5000)));
    }

    [Test]
    public void Dates_records_from_before_the_clock_was_set_by_a_later_one_of_the_same_boot()
    {
        var right = Now.AddMinutes(-10).ToUnixTimeMilliseconds();
        var (times, _, _) = RecordDating.Date([Record(1000, "a", 20_000), Record(right, "a", 60_000)], "", 0, Now);
        Assert.That(times, Is.EqualTo(new[] { right - 40_000, right }));
    }

    [Test]
    public void Dates_records_by_what_an_earlier_batch_told_of_the_boot()
    {
        var begin = Now.AddHours(-2).ToUnixTimeMilliseconds();
        var (times, _, _) = RecordDating.Date([Record(0, "a", 30_000)], "a", begin, Now);
        Assert.That(times, Is.EqualTo(new[] { begin + 30_000 }));
    }

    [Test]
    public void Dates_records_of_a_clock_that_was_never_set_as_if_the_newest_came_just_now()
    {
        var (times, boot, _) = RecordDating.Date([Record(7, "a", 10_000), Record(8, "a", 25_000)], "", 0, Now);
        Assert.That(times, Is.EqualTo(new[] { Now.ToUnixTimeMilliseconds() - 15_000, Now.ToUnixTimeMilliseconds() }));
        Assert.That(boot, Is.Empty);
    }

    [TestCase(long.MinValue, long.MinValue)]
    [TestCase(long.MaxValue, long.MaxValue)]
    [TestCase(-1, long.MaxValue)]
    [TestCase(4102444800000, 0)]
    public void Nothing_a_node_says_dates_a_record_into_the_future_or_out_of_range(long time, long uptime)
    {
        var (times, _, _) = RecordDating.Date([Record(time, "a", uptime)], "a", long.MaxValue / 2, Now);
        Assert.That(times[0], Is.InRange(1735689600000, Now.ToUnixTimeMilliseconds()));
    }

    private static TelemetryRecord Record(long time, string boot, long uptime) => new() { TimeUnixMs = time, BootId = boot, UptimeMs = uptime };
}
