using EdgeVirt.Contracts.Protos;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Linux;
using EdgeVirt.Linux.Storage;

namespace EdgeVirt.Node.Tests.Containers;

/// <summary>Resources beyond memory and CPU, as kernel and runtime take them on this machine.</summary>
[Category("root")]
internal sealed class RealResourcesTests : RealContainersFixture
{
    [Test]
    public async Task Cpus_and_rates_of_the_disk_are_in_force_and_what_is_not_is_named()
    {
        var workload = Workload("web", "busybox grep Cpus_allowed_list /proc/self/status; exec busybox sleep 1000");
        var resources = new ResourceRequirements
        {
            Cpus = "0", MemoryHigh = Amount("32Mi"), BlockIO = new BlockIO { ReadBytesPerSecond = Amount("1Mi") }, Limits = new ResourceLimits { Memory = Amount("64Mi") },
        };
        await DesireAsync(workload with { Template = workload.Template with { Containers = [workload.Template.Containers[0] with { Resources = resources }] } });
        var status = await agent.UntilAsync("web", IsReady);
        Assert.That((await LinesAsync(new LogsRequest { Workload = "web", Tail = -1 }, 1)).Single().Text, Does.Match(@"\s0$"));

        var group = directories.Cgroup(status.Containers[0].ContainerId!);
        var isUnified = new Cgroups().Layout == CgroupLayout.Unified;
        if (BlockDevices.DiskOf(options.DataDir) is { } disk)
        {
            var rates = File.ReadAllText(isUnified ? $"/sys/fs/cgroup{group}/io.max" : $"/sys/fs/cgroup/blkio{group}/blkio.throttle.read_bps_device");
            Assert.That(rates, Does.Contain(isUnified ? $"{disk} rbps=1048576" : $"{disk} 1048576"));
        }

        var limits = status.Conditions.Single(condition => condition.Type == ConditionTypes.LimitsEnforced);
        Assert.That(limits.Status, Is.EqualTo(isUnified ? ConditionStatus.True : ConditionStatus.False));
        Assert.That(limits.Message ?? "resources.memoryHigh", Does.Contain("resources.memoryHigh"), "version 1 has no such file");
    }

    private static Quantity Amount(string text) => Quantity.TryParse(text, out var quantity) ? quantity : throw new ArgumentException(text);
}
