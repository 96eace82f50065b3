using EdgeVirt.Node.Containers.Images.Deltas;

namespace EdgeVirt.Node.Tests.Containers.Images.Deltas;

internal sealed class RangeTests
{
    private string _path = null!;

    [SetUp]
    public void Make() => _path = Path.GetTempFileName();

    [TearDown]
    public void Remove() => File.Delete(_path);

    [Test]
    public void Ranges_that_lie_closer_than_a_request_costs_become_one() =>
        Assert.That(ByteRange.Join([new(500, 600), new(0, 10), new(20, 20), new(15, 40), new(141, 200)], gap: 100, most: 10),
            Is.EqualTo(new ByteRange[] { new(0, 40), new(141, 200), new(500, 600) }));

    [Test]
    public void More_ranges_than_requests_are_joined_further() =>
        Assert.That(ByteRange.Join(Enumerable.Range(0, 1000).Select(number => new ByteRange(number * 1000L, (number * 1000L) + 10)), gap: 10, most: 100), Has.Count.LessThanOrEqualTo(100));

    [Test]
    public void What_a_spool_has_is_not_missing_and_is_read_back()
    {
        using var spool = new RangeSpool(_path);
        spool.Append(100, new byte[50]);
        spool.Append(200, [1, 2, 3]);
        var buffer = new byte[10];
        Assert.Multiple(() =>
        {
            Assert.That(spool.Missing(new ByteRange(90, 210)), Is.EqualTo(new ByteRange[] { new(90, 100), new(150, 200), new(203, 210) }));
            Assert.That(spool.Missing(new ByteRange(110, 140)), Is.Empty);
            Assert.That(spool.MissingBytes([new(0, 300)]), Is.EqualTo(247));
            Assert.That(spool.Read(201, buffer), Is.EqualTo(2));
            Assert.That(buffer[..2], Is.EqualTo(new byte[] { 2, 3 }));
            Assert.That(spool.Read(150, buffer), Is.Zero);
        });
    }

    [Test]
    public void A_spool_outlives_the_agent_and_drops_what_a_power_cut_tore()
    {
        using (var spool = new RangeSpool(_path))
        {
            spool.Append(0, [1, 2, 3, 4]);
            spool.Append(1 << 30, new byte[3 << 20]);
            spool.Append(10, [5, 6, 7, 8]);
        }

        using (var file = new FileStream(_path, FileMode.Open))
        {
            file.Position = file.Length - 1;
            file.WriteByte(99);
        }

        using var again = new RangeSpool(_path);
        Assert.That(again.Missing(new ByteRange(0, 20)), Is.EqualTo(new ByteRange[] { new(4, 20) }));
        Assert.That(again.Missing(new ByteRange(1 << 30, (1 << 30) + (3 << 20))), Is.Empty);
        again.Append(10, [5, 6, 7, 8]);
        Assert.That(again.Missing(new ByteRange(0, 14)), Is.EqualTo(new ByteRange[] { new(4, 10) }));
    }

    [Test]
    public void A_spool_of_noise_is_begun_anew()
    {
        File.WriteAllBytes(_path, [.. Enumerable.Range(0, 1000).Select(number => (byte)(number * 7))]);
        using var spool = new RangeSpool(_path);
        Assert.That(spool.Missing(new ByteRange(0, long.MaxValue)), Is.EqualTo(new ByteRange[] { new(0, long.MaxValue) }));
        Assert.That(new FileInfo(_path).Length, Is.Zero);
    }
}
