using EdgeVirt.Contracts.Api;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.Boards;
using EdgeVirt.Node.Control;
using EdgeVirt.Node.State;
using EdgeVirt.Node.Tests.Hub;
using Microsoft.Extensions.Logging;

namespace EdgeVirt.Node.Tests.Boards;

public sealed class StatusLedTests
{
    private const string AllTriggers = "none mmc0 [mmc1] timer heartbeat default-on pattern";

    private string root = null!;

    private string Light => Path.Combine(root, "sys/class/leds/green:status");

    [SetUp]
    public void SetUp()
    {
        root = Directory.CreateTempSubdirectory("edgevirt-led-").FullName;
        Directory.CreateDirectory(Light);
        File.WriteAllText(Path.Combine(Light, "max_brightness"), "255\n");
        File.WriteAllText(Path.Combine(Light, "brightness"), "7\n");
        File.WriteAllText(Path.Combine(Light, "trigger"), AllTriggers + "\n");
    }

    [TearDown]
    public void TearDown() => Directory.Delete(root, recursive: true);

    [TestCase(nameof(StatusLedCode.Starting), "timer", "100", "100", null)]
    [TestCase(nameof(StatusLedCode.NotEnrolled), "pattern", null, null, "255 100 255 0 0 150 0 0 255 100 255 0 0 150 0 0 0 1000 0 0")]
    [TestCase(nameof(StatusLedCode.Fault), "pattern", null, null, "255 100 255 0 0 150 0 0 255 100 255 0 0 150 0 0 255 100 255 0 0 150 0 0 0 1000 0 0")]
    [TestCase(nameof(StatusLedCode.Updating), "timer", "900", "100", null)]
    [TestCase(nameof(StatusLedCode.HubUnreachable), "timer", "100", "1900", null)]
    [TestCase(nameof(StatusLedCode.Working), "heartbeat", null, null, null)]
    public void Shows_a_code_by_the_kernels_trigger(string code, string trigger, string? on, string? off, string? pattern)
    {
        new StatusLed(Light).Show(Enum.Parse<StatusLedCode>(code));
        Assert.That((Read("trigger"), Read("delay_on"), Read("delay_off"), Read("pattern")), Is.EqualTo((trigger, on, off, pattern)));
    }

    [TestCase(nameof(StatusLedCode.NotEnrolled), "none [timer]", "timer", "7")]
    [TestCase(nameof(StatusLedCode.Working), "[none] default-on", "default-on", "7")]
    [TestCase(nameof(StatusLedCode.Working), "[none]", "none", "255")]
    [TestCase(nameof(StatusLedCode.Fault), "[none]", "none", "0")]
    public void Makes_do_with_what_the_kernel_offers(string code, string offered, string trigger, string brightness)
    {
        File.WriteAllText(Path.Combine(Light, "trigger"), offered);
        new StatusLed(Light).Show(Enum.Parse<StatusLedCode>(code));
        Assert.That((Read("trigger"), Read("brightness")), Is.EqualTo((trigger, brightness)));
    }

    [Test]
    public void Every_two_codes_look_different()
    {
        var looks = Enum.GetValues<StatusLedCode>().Select(code =>
        {
            File.WriteAllText(Path.Combine(Light, "trigger"), AllTriggers);
            File.Delete(Path.Combine(Light, "delay_on"));
            File.Delete(Path.Combine(Light, "delay_off"));
            File.Delete(Path.Combine(Light, "pattern"));
            new StatusLed(Light).Show(code);
            return (Read("trigger"), Read("delay_on"), Read("delay_off"), Read("pattern"));
        });
        Assert.That(looks.Distinct().Count(), Is.EqualTo(Enum.GetValues<StatusLedCode>().Length));
    }

    [TestCase(false, true, true, null, null, nameof(StatusLedCode.Starting))]
    [TestCase(true, false, false, null, null, nameof(StatusLedCode.NotEnrolled))]
    [TestCase(true, true, false, null, null, nameof(StatusLedCode.HubUnreachable))]
    [TestCase(true, true, true, null, null, nameof(StatusLedCode.Working))]
    [TestCase(true, true, true, ReadyReasons.Starting, null, nameof(StatusLedCode.Working))]
    [TestCase(true, true, true, ReadyReasons.ImagePulling, null, nameof(StatusLedCode.Updating))]
    [TestCase(true, true, true, ReadyReasons.ImagePullFailed, null, nameof(StatusLedCode.Fault))]
    [TestCase(true, true, false, ReadyReasons.Failed, null, nameof(StatusLedCode.Fault))]
    [TestCase(true, true, true, null, ConditionTypes.StorageHealthy, nameof(StatusLedCode.Fault))]
    [TestCase(true, true, true, null, ConditionTypes.Enrolled, nameof(StatusLedCode.NotEnrolled))]
    public void Says_what_matters_most(bool isStarted, bool isEnrolled, bool isConnected, string? machine, string? untrue, string expected)
    {
        var summary = new LocalSummary
        {
            Node = isEnrolled ? "n1" : null,
            HubConnectedSince = isConnected ? DateTimeOffset.UnixEpoch : null,
            VirtualMachines = machine is null ? [] : [new LocalInstance { Name = "m", State = machine }],
            Status = new NodeStatus
            {
                Conditions = untrue is null ? [] : [new Condition { Type = untrue, Status = ConditionStatus.False, Reason = "x" }],
            },
        };
        Assert.That(StatusLedCodes.Of(summary, isStarted), Is.EqualTo(Enum.Parse<StatusLedCode>(expected)));
    }

    [Test]
    public async Task Follows_the_node_and_gives_the_light_back()
    {
        await using var hub = await FakeHub.StartAsync();
        await using var node = new NodeFixture(hub, hub.NewToken().Reveal());
        MakeBoard("green:status");
        Directory.CreateDirectory(node.Options.RunDir);
        var started = false;
        using (var led = Service(node, () => started))
        {
            await led.StartAsync(default);
            await Eventually.HoldsAsync(() => Read("delay_on") == "100", "starting");
            started = true;
            await Eventually.HoldsAsync(() => Read("pattern") is not null, "not enrolled");
            await node.StartAsync();
            await Eventually.HoldsAsync(() => Read("trigger") == "heartbeat", "working");
            await node.Store.WriteObservedAsync(
                new ObservedVirtualMachine("m", "u", new VirtualMachineInstanceStatus
                {
                    Node = "node-1",
                    Conditions = [new Condition { Type = ConditionTypes.Ready, Status = ConditionStatus.False, Reason = ReadyReasons.StartFailed }],
                }),
                default);
            await Eventually.HoldsAsync(() => Read("trigger") == "pattern" && Read("pattern")!.Length > 60, "fault");
            await led.StopAsync(default);
        }

        Assert.That(Read("trigger"), Is.EqualTo("mmc1"), "as it was before");
    }

    [Test]
    public async Task Gives_back_what_was_before_an_agent_that_was_killed()
    {
        await using var node = new NodeFixture();
        MakeBoard("green:status");
        Directory.CreateDirectory(node.Options.RunDir);
        await File.WriteAllTextAsync(Path.Combine(node.Options.RunDir, "led.trigger"), "mmc0");
        await File.WriteAllTextAsync(Path.Combine(Light, "trigger"), "none mmc0 [timer] heartbeat pattern");
        using var led = Service(node, () => true);
        await led.StartAsync(default);
        await Eventually.HoldsAsync(() => Read("trigger") == "pattern", "not enrolled");
        await led.StopAsync(default);
        Assert.That(Read("trigger"), Is.EqualTo("mmc0"));
    }

    [TestCase("../../etc", "is no name of a light")]
    [TestCase("absent", "absent")]
    public async Task Says_once_that_a_light_cannot_be_used(string name, string words)
    {
        await using var node = new NodeFixture();
        MakeBoard(name);
        Directory.CreateDirectory(node.Options.RunDir);
        using var led = Service(node, () => true);
        await led.StartAsync(default);
        await Eventually.HoldsAsync(() => node.Log.Lines.Any(line => line.Contains("light cannot show") && line.Contains(words)), "a line in the log");
        node.Conditions.Set("Other", ConditionStatus.True, "x");
        await Task.Delay(1000);
        await led.StopAsync(default);
        Assert.That(node.Log.Lines.Count(line => line.Contains("light cannot show")), Is.EqualTo(1));
    }

    // What the kernel does with a write, this tree does not: the file holds what was written last.
    private string? Read(string name)
    {
        var path = Path.Combine(Light, name);
        return File.Exists(path) ? File.ReadAllText(path).Trim() : null;
    }

    private StatusLedService Service(NodeFixture node, IsStarted isStarted) => new(
        node.Options, new BoardTree(root), node.Get<LocalSummarySource>(), isStarted, TimeProvider.System, node.Get<ILogger<StatusLedService>>());

    private void MakeBoard(string light)
    {
        Directory.CreateDirectory(Path.Combine(root, "etc/edgevirt"));
        File.WriteAllText(Path.Combine(root, "etc/edgevirt/board.json"), $$"""
            {
              "name": "test", "description": "x", "architecture": "Arm64", "firmware": "Uefi", "bootChain": ["x"], "kernel": { "package": "p", "suite": "s" },
              "consoles": ["tty1"], "storage": { "minimumBytes": 1, "media": ["x"] }, "statusLed": "{{light}}", "verified": []
            }
            """);
    }
}
