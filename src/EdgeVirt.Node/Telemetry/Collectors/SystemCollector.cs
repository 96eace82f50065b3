using System.Text;
using EdgeVirt.Contracts.Protos;

namespace EdgeVirt.Node.Telemetry;

/// <summary>
/// Reads the machine through /proc and /sys. Metric and attribute names follow the OpenTelemetry semantic conventions 1.36.0
/// (system, hardware, process and container metrics); load averages carry the names of the OpenTelemetry
/// Collector's host metrics, since the conventions have none. Counters are cumulative since boot; bytes, seconds, degrees Celsius, and 1 for shares.
/// </summary>
/// <param name="dataDirectory">Lies on the data partition.</param>
/// <param name="root">Where /proc and /sys are: "/" but in tests.</param>
internal sealed class SystemCollector(string dataDirectory, string root = "/")
{
    private readonly KernelFile file = new();
    private double lastBusy = double.NaN;
    private double lastTotal = double.NaN;

    /// <summary>Milliseconds since boot, suspended time included.</summary>
    public long UptimeMilliseconds()
    {
        var line = file.Read(PathOf("proc/uptime"));
        var seconds = KernelFile.Number(ref line);
        return double.IsFinite(seconds) ? (long)(seconds * 1000) : 0;
    }

    public void Collect(TelemetryRecord record)
    {
        var sink = new SampleSink(record);
        sink.Add("system.uptime", UptimeMilliseconds() / 1000.0);
        Processor(sink);
        Memory(sink);
        FileSystem(sink);
        Disks(sink);
        Networks(sink);
        Temperatures(sink);
        Agent(sink);
    }

    private void Processor(SampleSink sink)
    {
        var text = file.Read(PathOf("proc/stat"));
        if (KernelFile.TryLine(ref text, out var line) && line.StartsWith("cpu "u8))
        {
            KernelFile.Word(ref line);
            double total = 0, idle = 0;

            // user nice system idle iowait irq softirq steal; guest time is already part of user.
            for (var i = 0; i < 8; i++)
            {
                var ticks = KernelFile.Number(ref line);
                total += ticks;
                idle += i is 3 or 4 ? ticks : 0;
            }

            if (total > lastTotal)
            {
                sink.Add("system.cpu.utilization", Math.Clamp((total - idle - lastBusy) / (total - lastTotal), 0, 1));
            }

            (lastBusy, lastTotal) = (total - idle, total);
        }

        var load = file.Read(PathOf("proc/loadavg"));
        sink.Add("system.cpu.load_average.1m", KernelFile.Number(ref load));
        sink.Add("system.cpu.load_average.5m", KernelFile.Number(ref load));
        sink.Add("system.cpu.load_average.15m", KernelFile.Number(ref load));
    }

    private void Memory(SampleSink sink)
    {
        double total = double.NaN, free = double.NaN, available = double.NaN, cached = 0, buffers = 0;
        var text = file.Read(PathOf("proc/meminfo"));
        while (KernelFile.TryLine(ref text, out var line))
        {
            var name = KernelFile.Word(ref line);
            if (name.SequenceEqual("MemTotal:"u8))
            {
                total = KernelFile.Number(ref line) * 1024;
            }
            else if (name.SequenceEqual("MemFree:"u8))
            {
                free = KernelFile.Number(ref line) * 1024;
            }
            else if (name.SequenceEqual("MemAvailable:"u8))
            {
                available = KernelFile.Number(ref line) * 1024;
            }
            else if (name.SequenceEqual("Buffers:"u8))
            {
                buffers = KernelFile.Number(ref line) * 1024;
            }
            else if (name.SequenceEqual("Cached:"u8))
            {
                cached = KernelFile.Number(ref line) * 1024;
            }
        }

        sink.Add("system.memory.limit", total);
        sink.Add("system.memory.usage", total - free - cached - buffers, "system.memory.state", "used");
        sink.Add("system.memory.usage", free, "system.memory.state", "free");
        sink.Add("system.memory.usage", cached, "system.memory.state", "cached");
        sink.Add("system.linux.memory.available", available);
        sink.Add("system.memory.utilization", (total - available) / total);
    }

    private void FileSystem(SampleSink sink)
    {
        try
        {
            var drive = new DriveInfo(dataDirectory);
            double total = drive.TotalSize, free = drive.AvailableFreeSpace, used = total - drive.TotalFreeSpace;
            sink.Add("system.filesystem.usage", used, "system.filesystem.mountpoint", dataDirectory, "system.filesystem.state", "used");
            sink.Add("system.filesystem.usage", free, "system.filesystem.mountpoint", dataDirectory, "system.filesystem.state", "free");
            sink.Add("system.filesystem.utilization", used / (used + free), "system.filesystem.mountpoint", dataDirectory);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Not mounted at this moment: no sample rather than a wrong one.
        }
    }

    private void Disks(SampleSink sink)
    {
        const double sectorBytes = 512;
        var text = file.Read(PathOf("proc/diskstats"));
        while (KernelFile.TryLine(ref text, out var line))
        {
            KernelFile.Word(ref line);
            KernelFile.Word(ref line);
            var name = KernelFile.Word(ref line);
            var device = Encoding.ASCII.GetString(name);

            // Whole disks only: partitions and stacked devices would count the same bytes twice.
            if (name.StartsWith("loop"u8) || name.StartsWith("ram"u8) || name.StartsWith("zram"u8) || name.StartsWith("dm-"u8)
                || !Directory.Exists(PathOf($"sys/block/{device}")))
            {
                continue;
            }

            var reads = KernelFile.Number(ref line);
            KernelFile.Word(ref line);
            var sectorsRead = KernelFile.Number(ref line);
            KernelFile.Word(ref line);
            var writes = KernelFile.Number(ref line);
            KernelFile.Word(ref line);
            var sectorsWritten = KernelFile.Number(ref line);
            sink.Add("system.disk.io", sectorsRead * sectorBytes, "system.device", device, "disk.io.direction", "read");
            sink.Add("system.disk.io", sectorsWritten * sectorBytes, "system.device", device, "disk.io.direction", "write");
            sink.Add("system.disk.operations", reads, "system.device", device, "disk.io.direction", "read");
            sink.Add("system.disk.operations", writes, "system.device", device, "disk.io.direction", "write");
        }
    }

    private void Networks(SampleSink sink)
    {
        var text = file.Read(PathOf("proc/net/dev"));
        while (KernelFile.TryLine(ref text, out var line))
        {
            var colon = line.IndexOf((byte)':');
            if (colon < 0)
            {
                continue;
            }

            // Links that live as long as a container would make a new series with every start.
            var name = line[..colon].Trim((byte)' ');
            if (name.SequenceEqual("lo"u8) || name.StartsWith("veth"u8))
            {
                continue;
            }

            var device = Encoding.ASCII.GetString(name);
            line = line[(colon + 1)..];
            NetworkDirection(sink, ref line, device, "receive");
            NetworkDirection(sink, ref line, device, "transmit");
        }
    }

    // bytes packets errs drop and four more, twice.
    private static void NetworkDirection(SampleSink sink, ref ReadOnlySpan<byte> line, string device, string direction)
    {
        const string deviceKey = "network.interface.name";
        const string directionKey = "network.io.direction";
        sink.Add("system.network.io", KernelFile.Number(ref line), deviceKey, device, directionKey, direction);
        sink.Add("system.network.packet.count", KernelFile.Number(ref line), deviceKey, device, directionKey, direction);
        sink.Add("system.network.errors", KernelFile.Number(ref line), deviceKey, device, directionKey, direction);
        sink.Add("system.network.packet.dropped", KernelFile.Number(ref line), deviceKey, device, directionKey, direction);
        for (var i = 0; i < 4; i++)
        {
            KernelFile.Word(ref line);
        }
    }

    private void Temperatures(SampleSink sink)
    {
        foreach (var (pattern, value, label) in new[] { ("sys/class/thermal", "temp", "type"), ("sys/class/hwmon", "temp1_input", "name") })
        {
            var folder = PathOf(pattern);
            if (!Directory.Exists(folder))
            {
                continue;
            }

            foreach (var sensor in Directory.EnumerateDirectories(folder))
            {
                var degrees = KernelFile.Number(file.Read(Path.Combine(sensor, value))) / 1000;
                if (double.IsFinite(degrees))
                {
                    var name = Encoding.UTF8.GetString(file.Read(Path.Combine(sensor, label))).Trim();
                    sink.Add("hw.temperature", degrees, "hw.id", Path.GetFileName(sensor), "hw.name", name);
                }
            }
        }
    }

    private void Agent(SampleSink sink)
    {
        var statm = file.Read(PathOf("proc/self/statm"));
        KernelFile.Word(ref statm);
        sink.Add("process.memory.usage", KernelFile.Number(ref statm) * Environment.SystemPageSize);
    }

    private string PathOf(string relative) => Path.Combine(root, relative);
}
