using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Protos;
using Google.Protobuf;

namespace EdgeVirt.Cli.Tests.Local;

public sealed class LocalAgentTests
{
    [Test]
    public async Task Reads_logs_whose_lines_lie_across_frames()
    {
        using var cli = new CliRun();
        using var buffer = new MemoryStream();
        foreach (var text in new[] { "one", new string('x', 300), "three" })
        {
            new LogLine { TimeUnixNs = 1_000_000_000, Text = ByteString.CopyFromUtf8(text) }.WriteDelimitedTo(buffer);
        }

        await using var agent = new FakeAgent(cli.Home, buffer.ToArray(), pieces: 7, new CloseChannel());
        var outcome = await cli.RunAsync("logs", "web", "--local", "--socket", agent.Path, "--tail", "5", "--previous");
        Assert.That(outcome.Out, Is.EqualTo($"one\n{new string('x', 300)}\nthree\n"), outcome.Error);
        Assert.That(agent.Opened!.Logs, Is.EqualTo(new LogsRequest { Workload = "web", Tail = 5, Previous = true }));
        Assert.That(agent.Opened.Window, Is.Positive);
    }

    [Test]
    public async Task Shows_what_the_agent_says_of_itself()
    {
        using var cli = new CliRun();
        await using var agent = new FakeAgent(cli.Home, """{"agentVersion":"0.1.0","architecture":"arm64","memoryBytes":2147483648,"addresses":[]}"""u8.ToArray(), 1, new CloseChannel());
        var outcome = await cli.RunAsync("node", "status", "--socket", agent.Path);
        Assert.That(outcome.Out, Does.Contain("Agent:           0.1.0").And.Contain("Memory:          2 GiB"), outcome.Error);
    }

    [Test]
    public async Task Shows_what_the_board_its_image_and_its_storage_are()
    {
        using var cli = new CliRun();
        var status = """
            {"agentVersion":"0.1.0","firmware":{"vendor":"Raspberry Pi","version":"f788aab6","date":"2025-01-22"},"image":{"id":"edgevirt-rpi4","version":"13.1","variant":"production","slot":"b"},
             "storage":[{"name":"mmcblk0","kind":"Emmc","model":"BJTD4R","manufacturer":"0x000015","sizeBytes":31268536320,"lifeUsedPercent":80,"spare":"normal"},
                        {"name":"sda","kind":"Scsi","model":"SSD","serialNumber":"S3Z","sizeBytes":1024,"isHealthy":false}]}
            """;
        await using var agent = new FakeAgent(cli.Home, System.Text.Encoding.UTF8.GetBytes(status), 1, new CloseChannel());
        var outcome = await cli.RunAsync("node", "status", "--socket", agent.Path);
        var lines = outcome.Out.Split('\n').Select(line => string.Join(' ', line.Split(' ', StringSplitOptions.RemoveEmptyEntries))).ToList();
        foreach (var line in new[]
        {
            "Firmware: Raspberry Pi f788aab6 2025-01-22", "Image: edgevirt-rpi4 13.1 production", "Slot: b", "mmcblk0 eMMC 0x000015 BJTD4R 29.1 GiB 80 % spare normal - -",
            "sda SATA/USB SSD 1 KiB - failing S3Z -",
        })
        {
            Assert.That(lines, Does.Contain(line), outcome.Out);
        }
    }

    [TestCase("nodes", "CPU MEMORY OF AGE", "25% 1 GiB 25% 0s")]
    [TestCase("workloads", "WORKLOAD CONTAINER NODE CPU MEMORY AGE", "web main {0} 500m 4 KiB 0s")]
    public async Task Shows_what_is_used_at_this_moment(string what, string head, string expected)
    {
        using var cli = new CliRun();
        using var buffer = new MemoryStream();
        Reading(-1, 0.9, 10).WriteDelimitedTo(buffer);
        Reading(0, 0.25, 10.5).WriteDelimitedTo(buffer);
        await using var agent = new FakeAgent(cli.Home, buffer.ToArray(), pieces: 3, new CloseChannel());
        var outcome = await cli.RunAsync("top", what, "--local", "--socket", agent.Path);
        var lines = outcome.Out.Split('\n').Select(line => string.Join(' ', line.Split(' ', StringSplitOptions.RemoveEmptyEntries))).ToList();
        Assert.That(lines[0], Does.EndWith(head), outcome.Error);
        Assert.That(lines[1], Does.EndWith(string.Format(System.Globalization.CultureInfo.InvariantCulture, expected, Environment.MachineName)));
        Assert.That(agent.Opened!.VerbCase, Is.EqualTo(OpenChannel.VerbOneofCase.Usage));

        static TelemetryRecord Reading(int seconds, double cpu, double used) => new()
        {
            TimeUnixMs = CliRun.Now.AddSeconds(seconds).ToUnixTimeMilliseconds(),
            Samples =
            {
                new Sample { Metric = "system.cpu.utilization", Value = cpu },
                new Sample { Metric = "system.memory.usage", Value = 1 << 30, Attributes = { { "system.memory.state", "used" } } },
                new Sample { Metric = "system.memory.limit", Value = 4L << 30 },
                new Sample { Metric = "container.cpu.time", Value = used, Attributes = { { "workload", "web" }, { "container", "main" } } },
                new Sample { Metric = "container.memory.usage", Value = 4096, Attributes = { { "workload", "web" }, { "container", "main" } } },
            },
        };
    }

    [TestCase(CloseReason.Done, ExitCodes.Ok)]
    [TestCase(CloseReason.Invalid, ExitCodes.Invalid)]
    [TestCase(CloseReason.Failed, ExitCodes.Failure)]
    [TestCase(CloseReason.NotFound, ExitCodes.NotFound)]
    public async Task Enrolls_and_tells_how_it_ended(CloseReason reason, int expected)
    {
        using var cli = new CliRun();
        var token = ClaimToken.Create("site", [1, 2, 3]).Reveal();
        await using var agent = new FakeAgent(cli.Home, [], 0, new CloseChannel { Reason = reason, Message = "the token was used" });
        cli.Input = token + "\n";
        var outcome = await cli.RunAsync("node", "enroll", "--hub", "hub:8444", "--token-stdin", "--name", "n1", "--socket", agent.Path);
        Assert.That(outcome.Code, Is.EqualTo(expected), outcome.Error);
        Assert.That(agent.Opened!.Enroll, Is.EqualTo(new EnrollCommand { HubAddress = "hub:8444", ClaimToken = token, NodeName = "n1" }));
        Assert.That(outcome.Out + outcome.Error, Does.Not.Contain(token));
        if (expected != ExitCodes.Ok)
        {
            Assert.That(outcome.Error, Does.Contain("the token was used"));
        }
    }

    [Test]
    public async Task Imports_an_image_by_its_full_path_and_lists_what_came()
    {
        using var cli = new CliRun();
        await using var agent = new FakeAgent(
            cli.Home, """{"items":[{"references":["r.test/app:1"],"digest":"sha256:ab","uniqueBytes":2097152,"sharedBytes":0,"usedBy":["web"]}],"totalBytes":2097152}"""u8.ToArray(), 3, new CloseChannel());
        var outcome = await cli.RunAsync("image", "import", "app.tar", "--name", "r.test/app:1", "--socket", agent.Path);
        Assert.That(outcome.Out, Does.Contain("r.test/app:1").And.Contain("2 MiB").And.Contain("web"), outcome.Error);
        Assert.That(agent.Opened!.ImageImport, Is.EqualTo(new ImageImportRequest { Path = Path.GetFullPath("app.tar"), Name = "r.test/app:1" }));
    }

    [TestCase(CloseReason.Invalid, ExitCodes.Invalid)]
    [TestCase(CloseReason.Failed, ExitCodes.Failure)]
    public async Task Says_why_an_image_was_not_imported(CloseReason reason, int expected)
    {
        using var cli = new CliRun();
        await using var agent = new FakeAgent(cli.Home, [], 0, new CloseChannel { Reason = reason, Message = "a device node" });
        var outcome = await cli.RunAsync("image", "import", "/x/app.tar", "--socket", agent.Path);
        Assert.That(outcome.Code, Is.EqualTo(expected));
        Assert.That(outcome.Error, Does.Contain("a device node"));
    }

    [Test]
    public async Task Refuses_a_name_that_names_no_registry()
    {
        using var cli = new CliRun();
        var outcome = await cli.RunAsync("image", "import", "/x/app.tar", "--name", "nginx:1");
        Assert.That(outcome.Code, Is.EqualTo(ExitCodes.Usage));
        Assert.That(outcome.Error, Does.Contain("nginx:1"));
    }

    [Test]
    public async Task Says_so_when_no_agent_runs()
    {
        using var cli = new CliRun();
        var outcome = await cli.RunAsync("node", "status", "--socket", Path.Combine(cli.Home, "none.sock"));
        Assert.That(outcome.Code, Is.EqualTo(ExitCodes.Unreachable));
        Assert.That(outcome.Error, Does.Contain("there is no such socket").And.Contain("--socket"));
    }

    [Test]
    public async Task Refuses_a_token_that_was_cut_before_it_reaches_the_agent()
    {
        using var cli = new CliRun();
        cli.Input = "evc1.site.abc";
        var outcome = await cli.RunAsync("node", "enroll", "--hub", "hub:8444", "--token-stdin", "--socket", "/nonexistent");
        Assert.That(outcome.Code, Is.EqualTo(ExitCodes.Invalid));
        Assert.That(outcome.Error, Does.Contain("no claim token"));
    }
}
