using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Node.Tests;

public sealed class NodeOptionsTests
{
    [Test]
    public void Allowed_host_paths_are_read_and_checked()
    {
        var path = Path.GetTempFileName();
        try
        {
            File.WriteAllText(path, """{"allowedHostPaths": [{"pathPrefix": "/var/log", "readOnly": true}]}""");
            var allowed = NodeOptionsReader.Read(["--config", path], _ => null).AllowedHostPaths.Single();
            Assert.That((allowed.PathPrefix, allowed.ReadOnly), Is.EqualTo(("/var/log", true)));
            File.WriteAllText(path, """{"allowedHostPaths": [{"pathPrefix": "/var/../etc"}]}""");
            Assert.That(() => NodeOptionsReader.Read(["--config", path], _ => null), Throws.InstanceOf<NodeOptionsException>().With.Message.Contains("allowedHostPaths[0].pathPrefix"));
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Test]
    public void The_command_line_wins_over_the_environment_and_that_over_the_file()
    {
        var file = Path.GetTempFileName();
        try
        {
            File.WriteAllText(file, """
                { "hub": "file:1", "nodeName": "from-file", "heartbeatSeconds": 5,
                  "registries": { "localhost:5000": { "url": "http://10.0.0.1:5000" } } } // as an operator wrote it
                """);
            var environment = new Dictionary<string, string> { ["EDGEVIRT_HUB"] = "env:2", ["EDGEVIRT_NODE_NAME"] = "from-env" };
            var options = NodeOptionsReader.Read(["--config", file, "--hub=line:3"], environment.GetValueOrDefault);
            Assert.Multiple(() =>
            {
                Assert.That(options.Hub, Is.EqualTo("line:3"));
                Assert.That(options.NodeName, Is.EqualTo("from-env"));
                Assert.That(options.HeartbeatSeconds, Is.EqualTo(5));
                Assert.That(options.Registries["localhost:5000"].Url, Is.EqualTo("http://10.0.0.1:5000"));
                Assert.That(options.DataDir, Is.EqualTo("/var/lib/edgevirt"));
            });
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Test]
    public void What_the_file_leaves_out_of_images_has_its_default()
    {
        var file = Path.GetTempFileName();
        try
        {
            File.WriteAllText(file, """{ "images": { "highWatermarkPercent": 90 } }""");
            Assert.That(NodeOptionsReader.Read(["--config", file], _ => null).Images, Is.EqualTo(new ImagesOptions { HighWatermarkPercent = 90 }));
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Test]
    public void Logs_are_kept_as_the_file_says_and_a_workload_says_otherwise()
    {
        var file = Path.GetTempFileName();
        try
        {
            File.WriteAllText(file, """{ "logs": { "maxSize": "1Mi", "storage": "Memory", "flushIntervalSeconds": 60, "memorySize": "16Mi", "maxTotalSize": "100Mi" } }""");
            var logs = NodeOptionsReader.Read(["--config", file], _ => null).Logs;
            Assert.That(logs, Is.EqualTo(new LogsOptions { MaxSizeBytes = 1 << 20, MaxFiles = 5, Storage = LogStorage.Memory, FlushIntervalSeconds = 60, MemorySizeBytes = 16 << 20, MaxTotalSizeBytes = 100 << 20 }));
            Assert.That(logs.With(new LogsSpec { MaxFiles = 2, Storage = LogStorage.Disk }), Is.EqualTo(logs with { MaxFiles = 2, Storage = LogStorage.Disk }));
            Assert.That((logs.PieceBytes, logs.PiecesKept), Is.EqualTo((256 << 10, 20)), "in memory files are small, and as much is kept");
            File.WriteAllText(file, """{ "logs": { "maxSize": "1Ki", "maxFiles": 0 } }""");
            Assert.That(
                () => NodeOptionsReader.Read(["--config", file], _ => null),
                Throws.InstanceOf<NodeOptionsException>().With.Message.Contains("logs.maxSize must be").And.Message.Contains("logs.maxFiles must be"));
        }
        finally
        {
            File.Delete(file);
        }
    }

    [TestCase("--nonsense", "x", "'--nonsense' is no option")]
    [TestCase("--hub", "https://x", "hub must be host:port")]
    [TestCase("--node-name", "No_Name", "must be a DNS label")]
    [TestCase("--data-dir", "relative", "absolute")]
    [TestCase("--workload-subnet", "10.0.0.0/31", "workloadSubnet")]
    [TestCase("--heartbeat-seconds", "-1", "whole number")]
    [TestCase("--config", "/nowhere/agent.json", "Cannot read the configuration")]
    public void Says_what_is_wrong(string name, string value, string message) =>
        Assert.That(
            () => NodeOptionsReader.Read([name, value], _ => null),
            Throws.TypeOf<NodeOptionsException>().With.Message.Contains(message));

    [TestCase("""{ "registries": { "docker.io": { "mirrors": ["https://m.test", "m.test:5000"] } } }""", "registries.docker.io.mirrors[1]")]
    [TestCase("""{ "registries": { "docker.io": { "mirrors": ["https://user:pw@m.test"] } } }""", "registries.docker.io.mirrors[0]")]
    [TestCase("""{ "images": { "highWatermarkPercent": 70, "lowWatermarkPercent": 75 } }""", "images.highWatermarkPercent")]
    [TestCase("""{ "evictionMinFreeBytes": -1 }""", "evictionMinFreeBytes")]
    [TestCase("""{ "images": { "maxUplinkCost": 256 } }""", "images.maxUplinkCost")]
    [TestCase("""{ "uplinks": [ { "interface": "wwan0", "cost": -1 } ] }""", "uplinks[0].cost")]
    [TestCase("""{ "uplinks": [ { "interface": "a/b", "cost": 1 } ] }""", "uplinks[0].interface")]
    [TestCase("""{ "uplinks": [ { "interface": "wwan0" } ] }""", "cost")]
    [TestCase("""{ "imageMaxBytesPerSecond": 10 }""", "imageMaxBytesPerSecond")]
    [TestCase("""{ "telemetryMaxBytesPerSecond": 10 }""", "telemetryMaxBytesPerSecond")]
    [TestCase("""{ "images": { "maxConcurrentDownloads": 0 } }""", "images.maxConcurrentDownloads")]
    [TestCase("""{ "images": { "maxUnusedDays": 0 } }""", "images.maxUnusedDays")]
    public void Says_what_is_wrong_in_the_file(string json, string field)
    {
        var file = Path.GetTempFileName();
        try
        {
            File.WriteAllText(file, json);
            Assert.That(() => NodeOptionsReader.Read(["--config", file], _ => null), Throws.TypeOf<NodeOptionsException>().With.Message.Contains(field));
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Test]
    public void Whatever_can_be_set_can_be_set_in_the_file() =>
        Assert.That(
            typeof(NodeOptions).GetProperties().Where(property => property.CanWrite).Select(property => property.Name),
            Is.EquivalentTo(typeof(NodeOptionsFile).GetProperties().Where(property => property.CanWrite).Select(property => property.Name)));

    [Test]
    public void Names_an_unknown_key_of_the_file()
    {
        var file = Path.GetTempFileName();
        try
        {
            File.WriteAllText(file, """{ "hubb": "x" }""");
            Assert.That(() => NodeOptionsReader.Read(["--config", file], _ => null), Throws.TypeOf<NodeOptionsException>().With.Message.Contains("hubb"));
        }
        finally
        {
            File.Delete(file);
        }
    }

    [TestCase("hub", "hub", 8444)]
    [TestCase("hub:443", "hub", 443)]
    [TestCase("10.0.0.1:9000", "10.0.0.1", 9000)]
    [TestCase("[fd00::1]:9000", "fd00::1", 9000)]
    public void Reads_a_hub_address(string text, string host, int port)
    {
        Assert.That(HubAddress.TryParse(text, out var address), Is.True);
        Assert.That((address.Host.Trim('[', ']'), address.Port), Is.EqualTo((host, port)));
    }
}
