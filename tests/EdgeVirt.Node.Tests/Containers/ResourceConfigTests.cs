using System.Text.Json;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Linux;
using EdgeVirt.Node.Containers.Oci;

namespace EdgeVirt.Node.Tests.Containers;

/// <summary>What the runtime is told of resources, and what the workload is told where that cannot be enforced.</summary>
internal sealed class ResourceConfigTests
{
    private static readonly ResourceRequirements Everything = new()
    {
        Cpus = "0-1",
        MemoryHigh = Amount("48Mi"),
        BlockIO = new BlockIO { Weight = 200, ReadBytesPerSecond = Amount("1Mi"), WritesPerSecond = 50 },
        Realtime = new RealtimeScheduling { Priority = 20, RealtimeRuntime = 5000, RealtimePeriod = 100_000 },
        Limits = new ResourceLimits { Memory = Amount("64Mi"), Hugepages2Mi = Amount("4Mi"), Hugepages1Gi = Amount("1Gi") },
    };

    private static readonly string[] All =
    [
        Enforcement.Cpu, Enforcement.Memory, Enforcement.Pids, Enforcement.CpuSet, Enforcement.HugePages, Enforcement.MemoryHigh, Enforcement.IoWeight,
        Enforcement.IoMax, Enforcement.Realtime, Enforcement.RealtimeGroups,
    ];

    [Test]
    public void Version_2_is_written_in_the_kernels_own_words()
    {
        var config = Make(CgroupLayout.Unified);
        Assert.That(config.Unified, Is.EquivalentTo(new Dictionary<string, string>
        {
            ["memory.high"] = "50331648", ["io.weight"] = "default 200", ["io.max"] = "8:16 rbps=1048576 wiops=50",
        }));
        Assert.That(config.BlockIO, Is.Null);
        Assert.That(config.Cpu, Is.EqualTo(new SpecCpu(2) { Cpus = "0-1", RealtimeRuntime = 5000, RealtimePeriod = 100_000 }));
        Assert.That(config.HugepageLimits, Is.EqualTo([new SpecHugepageLimit("2MB", 4 << 20), new SpecHugepageLimit("1GB", 1 << 30)]));
    }

    [Test]
    public void Version_1_is_written_in_the_specifications_words()
    {
        using var document = JsonDocument.Parse(JsonSerializer.Serialize(Make(CgroupLayout.Legacy), RuntimeSpecJson.Default.SpecResources));
        var root = document.RootElement;
        Assert.That(root.TryGetProperty("unified", out _), Is.False);
        var throttle = root.GetProperty("blockIO").GetProperty("throttleReadBpsDevice")[0];
        Assert.That((throttle.GetProperty("major").GetInt32(), throttle.GetProperty("minor").GetInt32(), throttle.GetProperty("rate").GetInt64()), Is.EqualTo((8, 16, 1_048_576L)));
        Assert.That(root.GetProperty("blockIO").GetProperty("throttleWriteIOPSDevice")[0].GetProperty("rate").GetInt64(), Is.EqualTo(50));
        Assert.That(root.GetProperty("blockIO").TryGetProperty("throttleWriteBpsDevice", out _), Is.False);
        Assert.That(root.GetProperty("cpu").GetProperty("cpus").GetString(), Is.EqualTo("0-1"));
        Assert.That(root.GetProperty("hugepageLimits")[0].GetProperty("pageSize").GetString(), Is.EqualTo("2MB"));
    }

    [Test]
    public void What_is_missing_here_is_left_out()
    {
        var config = Make(CgroupLayout.Unified, All);
        Assert.That(config, Is.EqualTo(new SpecResources { Devices = config.Devices }));
        Assert.That(ResourceConfig.RlimitsOf(Everything, Features(CgroupLayout.Unified, All)), Is.Null);
        Assert.That(Make(CgroupLayout.Unified, [], disk: null).Unified, Does.Not.ContainKey("io.max"));
        Assert.That(ResourceConfig.Make(null, [], Features(CgroupLayout.Unified, [])), Has.Property("Unified").Null.And.Property("HugepageLimits").Null);
    }

    [TestCase(0, false)]
    [TestCase(19, false)]
    [TestCase(20, true)]
    public void Real_time_priority_is_given_where_the_node_allows_it(int most, bool given)
    {
        var rlimits = ResourceConfig.RlimitsOf(Everything, Features(CgroupLayout.Unified, []) with { MaxRealtimePriority = most });
        Assert.That(rlimits, given ? Is.EqualTo([new SpecRlimit("RLIMIT_RTPRIO", 20, 20)]) : Is.Null);
    }

    [TestCase(Enforcement.CpuSet, "resources.cpus", LimitsEnforcedReasons.ControllerMissing)]
    [TestCase(Enforcement.MemoryHigh, "resources.memoryHigh", LimitsEnforcedReasons.ControllerMissing)]
    [TestCase(Enforcement.IoWeight, "resources.blockIO.weight", LimitsEnforcedReasons.ControllerMissing)]
    [TestCase(Enforcement.IoMax, "rates of resources.blockIO", LimitsEnforcedReasons.ControllerMissing)]
    [TestCase(Enforcement.HugePages, "huge pages", LimitsEnforcedReasons.ControllerMissing)]
    [TestCase(Enforcement.RealtimeGroups, "resources.realtime.realtimeRuntime", LimitsEnforcedReasons.ControllerMissing)]
    [TestCase(Enforcement.Realtime, "resources.realtime", LimitsEnforcedReasons.CapabilityMissing)]
    [TestCase(Enforcement.Memory, "memory", LimitsEnforcedReasons.ControllerMissing)]
    public void What_cannot_be_enforced_is_named(string missing, string field, string reason)
    {
        var condition = Enforcement.ConditionOf(Pod(Everything), [missing], 50);
        Assert.That((condition.Status, condition.Reason), Is.EqualTo((ConditionStatus.False, reason)));
        Assert.That(condition.Message, Does.Contain(field));
        Assert.That(Enforcement.ConditionOf(Pod(null), [missing], 50).Status, Is.EqualTo(ConditionStatus.True), "nobody asked for it");
    }

    [Test]
    public void What_the_node_does_not_allow_is_told_with_the_option()
    {
        Assert.That(Enforcement.ConditionOf(Pod(Everything), [], 10), Has.Property("Reason").EqualTo(LimitsEnforcedReasons.NotAllowed).And.Property("Message").Contains("maxRealtimePriority"));
        Assert.That(Enforcement.ConditionOf(Pod(Everything), [], 20).Status, Is.EqualTo(ConditionStatus.True));
    }

    private static PodSpec Pod(ResourceRequirements? resources) => new() { Containers = [new ContainerSpec { Name = "main", Image = "r.local/x:1", Resources = resources }] };

    private static SpecResources Make(CgroupLayout layout, string[]? missing = null) => Make(layout, missing ?? [], new DeviceNumber(8, 16));

    private static SpecResources Make(CgroupLayout layout, string[] missing, DeviceNumber? disk) => ResourceConfig.Make(Everything, [], Features(layout, missing) with { Disk = disk });

    private static RuntimeFeatures Features(CgroupLayout layout, string[] missing) =>
        new(missing, HasSeccomp: true, new HashSet<string>(), "amd64") { Layout = layout, Disk = new DeviceNumber(8, 16), MaxRealtimePriority = 50 };

    private static Quantity Amount(string text) => Quantity.TryParse(text, out var quantity) ? quantity : throw new ArgumentException(text);
}
