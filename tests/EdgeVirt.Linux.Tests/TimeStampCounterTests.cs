using System.Diagnostics;
using System.Runtime.InteropServices;

namespace EdgeVirt.Linux.Tests;

public sealed class TimeStampCounterTests
{
    [Test]
    public async Task Measures_what_the_kernel_counts_by()
    {
        var measured = await TimeStampCounter.KilohertzAsync(default);
        if (RuntimeInformation.ProcessArchitecture != Architecture.X64 || !TimeStampCounter.IsSteady(File.ReadLines("/proc/cpuinfo")))
        {
            Assert.That(measured, Is.Null);
            return;
        }

        Assert.That(measured, Is.InRange(500_000L, 10_000_000L));
        var again = await TimeStampCounter.MeasureAsync();
        Assert.That(Math.Abs(again!.Value - measured!.Value) * 1e6 / measured.Value, Is.LessThan(100), "parts in a million");
        var clock = Stopwatch.StartNew();
        Assert.That(await TimeStampCounter.KilohertzAsync(default), Is.EqualTo(measured));
        Assert.That(clock.Elapsed, Is.LessThan(TimeSpan.FromMilliseconds(200)), "measured once");
    }

    [TestCase("flags\t\t: fpu tsc constant_tsc nonstop_tsc", true)]
    [TestCase("flags\t\t: fpu tsc constant_tsc", false)]
    [TestCase("flags\t\t: fpu tsc nonstop_tsc_s3 constant_tsc_x", false)]
    [TestCase("Features\t: fp asimd", false)]
    public void Is_taken_only_where_it_is_steady(string line, bool steady) => Assert.That(TimeStampCounter.IsSteady(["processor\t: 0", line]), Is.EqualTo(steady));
}
