using EdgeVirt.Contracts.Protos;
using EdgeVirt.Node.Telemetry;

namespace EdgeVirt.Node.Tests.Telemetry;

public sealed class CollectorTests
{
    private string root = "";

    [SetUp]
    public void MakeRoot() => root = Directory.CreateTempSubdirectory("proc").FullName;

    [TearDown]
    public void RemoveRoot() => Directory.Delete(root, recursive: true);

    [Test]
    public void Reads_the_kernels_files_into_named_samples()
    {
        Write("proc/uptime", "1234.56 900.00\n");
        Write("proc/loadavg", "0.50 0.25 0.10 1/100 4242\n");
        Write("proc/stat", "cpu  100 0 100 700 100 0 0 0 0 0\ncpu0 1 2 3\n");
        Write("proc/meminfo", "MemTotal:       1000 kB\nMemFree:         300 kB\nMemAvailable:    600 kB\nBuffers:         100 kB\nCached:          200 kB\n");
        Write("proc/diskstats", " 179 0 mmcblk0 10 0 20 0 30 0 40 0 0 0 0\n 179 1 mmcblk0p1 1 0 2 0 3 0 4 0 0 0 0\n 7 0 loop0 1 0 2 0 3 0 4 0 0 0 0\n");
        Directory.CreateDirectory(Path.Combine(root, "sys/block/mmcblk0"));
        Write("proc/net/dev", "Inter-|   Receive\n face |bytes\n  eth0: 1000 10 1 2 0 0 0 0 2000 20 3 4 0 0 0 0\n    lo: 5 5 0 0 0 0 0 0 5 5 0 0 0 0 0 0\nveth12: 5 5 0 0 0 0 0 0 5 5 0 0 0 0 0 0\n");
        Write("sys/class/thermal/thermal_zone0/temp", "48312\n");
        Write("sys/class/thermal/thermal_zone0/type", "cpu-thermal\n");
        Write("proc/self/statm", "5000 2500 100 0 0 0 0\n");
        var collector = new SystemCollector(root, root);
        collector.Collect(new TelemetryRecord());
        Write("proc/stat", "cpu  130 0 120 740 110 0 0 0 0 0\n");
        var record = new TelemetryRecord();
        collector.Collect(record);

        Assert.Multiple(() =>
        {
            Assert.That(Value("system.uptime"), Is.EqualTo(1234.56));
            Assert.That(Value("system.cpu.load_average.5m"), Is.EqualTo(0.25));
            Assert.That(Value("system.cpu.utilization"), Is.EqualTo(0.5), "50 busy of 100 ticks");
            Assert.That(Value("system.memory.limit"), Is.EqualTo(1000 * 1024));
            Assert.That(Value("system.memory.usage", "used"), Is.EqualTo(400 * 1024));
            Assert.That(Value("system.memory.utilization"), Is.EqualTo(0.4));
            Assert.That(Value("system.filesystem.utilization"), Is.InRange(0, 1));
            Assert.That(Value("system.disk.io", "read"), Is.EqualTo(20 * 512));
            Assert.That(Value("system.disk.operations", "write"), Is.EqualTo(30));
            Assert.That(Value("system.network.io", "transmit"), Is.EqualTo(2000));
            Assert.That(Value("system.network.packet.count", "receive"), Is.EqualTo(10));
            Assert.That(Value("system.network.errors", "transmit"), Is.EqualTo(3));
            Assert.That(Value("system.network.packet.dropped", "transmit"), Is.EqualTo(4));
            Assert.That(Value("hw.temperature", "cpu-thermal"), Is.EqualTo(48.312));
            Assert.That(Value("process.memory.usage"), Is.EqualTo(2500.0 * Environment.SystemPageSize));
        });

        double Value(string metric, string? attribute = null) => record.Samples
            .Single(sample => sample.Metric == metric && (attribute is null || sample.Attributes.Values.Contains(attribute))).Value;
    }

    [Test]
    public void Leaves_out_what_is_not_there()
    {
        var record = new TelemetryRecord();
        new SystemCollector(root, root).Collect(record);
        Assert.That(record.Samples.Select(sample => sample.Metric), Has.None.Contain("cpu").And.None.Contain("network"));
    }

    [Test]
    public void Reads_this_machine()
    {
        var record = new TelemetryRecord();
        new SystemCollector("/").Collect(record);
        Assert.That(
            record.Samples.Select(sample => sample.Metric),
            Is.SupersetOf(new[] { "system.uptime", "system.memory.limit", "system.filesystem.usage", "process.memory.usage", "system.cpu.load_average.1m" }));
    }

    [Test]
    public void Cuts_a_record_that_has_too_many_samples()
    {
        var record = new TelemetryRecord { BootId = "b", TimeUnixMs = 1, UptimeMs = 2 };
        record.Samples.AddRange(Enumerable.Range(0, 1201).Select(i => new Sample { Metric = "m", Value = i }));
        var parts = TelemetryCollector.Cut(record).ToList();
        Assert.That(parts.Select(part => part.Samples.Count), Is.EqualTo(new[] { 500, 500, 201 }));
        Assert.That(parts.SelectMany(part => part.Samples), Is.EqualTo(record.Samples));
        Assert.That(parts.Select(part => (part.BootId, part.TimeUnixMs, part.UptimeMs)), Is.All.EqualTo(("b", 1, 2)));
    }

    private void Write(string path, string content)
    {
        var full = Path.Combine(root, path);
        Directory.CreateDirectory(Path.GetDirectoryName(full)!);
        File.WriteAllText(full, content);
    }
}
