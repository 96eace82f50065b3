using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Protos;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Linux;
using EdgeVirt.Linux.Storage;
using EdgeVirt.Node.Containers.Eviction;
using EdgeVirt.Node.Tests.Hub;
using EdgeVirt.Testing;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace EdgeVirt.Node.Tests.Containers.Eviction;

/// <summary>A data partition of its own, and workloads without limits that fill it.</summary>
[Category("root")]
internal sealed class RealDiskPressureTests : RealContainersFixture
{
    private const int Port = 18_081;
    private const long MinFree = 32 << 20;

    private readonly FakeTimeProvider clock = new();
    private TempDirectory disk = null!;
    private int tests;
    private int reclaims;
    private NodeConditions conditions = null!;

    private string Partition => disk.Combine("mount");

    [OneTimeSetUp]
    public async Task MakeDiskAsync()
    {
        disk = new TempDirectory();
        await Ext4Image.CreateAsync(disk.Combine("disk.ext4"), 128 << 20, reserve: false, default);
        await Ext4Image.MountAsync(disk.Combine("disk.ext4"), disk.Subdirectory("mount"), default);
    }

    [OneTimeTearDown]
    public void RemoveDisk()
    {
        Mounts.UnmountBelow(Partition, detach: true);
        Mounts.Unmount(Partition, detach: true);
        disk.Dispose();
    }

    [Test]
    public async Task Who_wrote_most_is_evicted_and_told_why_and_the_others_notice_nothing()
    {
        var within = Workload("within", "busybox dd if=/dev/zero of=/big bs=1M count=24; exec busybox sleep 1000");
        await DesireAsync(Neighbour(), Limited(within, "28Mi"));
        var before = await agent.UntilAsync("web", IsReady);
        await agent.UntilAsync("within", IsReady);
        var pressure = NewPressure();
        await pressure.CheckAsync(default);
        Assert.That(Condition(), Is.EqualTo((ConditionStatus.False, DiskPressureReasons.HasNoDiskPressure)));

        var greedy = Workload("greedy", "busybox dd if=/dev/zero of=/big bs=1M; busybox yes > /more; exec busybox sleep 1000");
        greedy = greedy with { Template = greedy.Template with { RestartPolicy = RestartPolicy.Never } };
        await DesireAsync(Neighbour(), Limited(within, "28Mi"), greedy);
        await Eventually.HoldsAsync(() => Free() < 64 << 10, $"a disk without one free byte: {Free()}");
        await pressure.CheckAsync(default);
        Assert.That((Condition(), reclaims), Is.EqualTo(((ConditionStatus.True, DiskPressureReasons.HasDiskPressure), 1)), "first images that nobody uses");
        await pressure.CheckAsync(default);
        await pressure.CheckAsync(default);

        var status = await agent.UntilAsync("greedy", status => status.Containers[0].LastExit is not null);
        Assert.That(status.Containers[0].LastExit, Has.Property("Reason").EqualTo("Evicted").And.Property("Message").Contains("limits.ephemeral-storage"));
        await agent.UntilAsync("greedy", status => status.Conditions[0] is { Reason: ReadyReasons.Failed, Message: { } message } && message.Contains("was evicted", StringComparison.Ordinal));
        await Eventually.HoldsAsync(() => Free() > 2 * MinFree, "the space to be free again");
        Assert.That(await AnswerAsync(Port), Is.EqualTo("answer\n"));
        foreach (var name in (string[])["web", "within"])
        {
            Assert.That((await agent.UntilAsync(name, IsReady)).Containers[0].RestartCount, Is.Zero);
        }

        Assert.That((await agent.StatusAsync("web"))!.Containers[0].ContainerId, Is.EqualTo(before.Containers[0].ContainerId));
        await pressure.CheckAsync(default);
        Assert.That(Condition().Status, Is.EqualTo(ConditionStatus.True), "so that somebody sees it");
        clock.Advance(DiskPressure.Transition);
        await pressure.CheckAsync(default);
        Assert.That(Condition().Status, Is.EqualTo(ConditionStatus.False));
    }

    [Test]
    public async Task A_workload_that_is_evicted_starts_again_with_empty_volumes_also_when_the_agent_was_killed_meanwhile()
    {
        const string Script = "test -f /v/big && echo kept || echo fresh; test -f /v/../big && echo root; busybox dd if=/dev/zero of=/v/big bs=1M count=100 2> /dev/null; exec busybox sleep 1000";
        var greedy = Workload("greedy", Script);
        var container = greedy.Template.Containers[0] with { VolumeMounts = [new VolumeMount { Name = "v", MountPath = "/v" }] };
        greedy = greedy with { Template = greedy.Template with { Volumes = [new VolumeSpec { Name = "v", EmptyDir = new EmptyDirSource() }], Containers = [container] } };
        await DesireAsync(Neighbour(), greedy);
        await Eventually.HoldsAsync(() => Free() < MinFree, "a full disk");
        var pressure = NewPressure();
        await pressure.CheckAsync(default);
        await pressure.CheckAsync(default);
        await RestartAsync();
        await agent.ReconcileAsync();
        var status = await agent.UntilAsync("greedy", status => status.Containers[0].RestartCount == 1);
        Assert.That(status.Containers[0].LastExit!.Reason, Is.EqualTo("Evicted"));
        Assert.That((await LinesAsync(new LogsRequest { Workload = "greedy", Tail = -1 }, 1)).Select(line => line.Text), Is.EqualTo(["fresh"]));
        Assert.That((await agent.UntilAsync("web", IsReady)).Containers[0].RestartCount, Is.Zero);
    }

    protected override NodeOptions Configure(NodeOptions defaults) => defaults with
    {
        DataDir = Path.Combine(Partition, (++tests).ToString(System.Globalization.CultureInfo.InvariantCulture)), EvictionMinFreeBytes = MinFree,
    };

    private DiskPressure NewPressure()
    {
        (conditions, reclaims) = (new NodeConditions(clock), 0);
        return new DiskPressure(
            new DataPartition(options, directories, agent.Records), agent.Runtime, () => reclaims++, conditions, clock, NullLogger<DiskPressure>.Instance);
    }

    private (ConditionStatus Status, string Reason) Condition() => conditions.Read().Single() is var condition ? (condition.Status, condition.Reason) : default;

    private long Free() => new DriveInfo(Partition).AvailableFreeSpace;

    private static DesiredWorkload Neighbour() => Workload("web", "exec busybox nc -ll -p 80 -e /bin/busybox echo answer", Port);

    private static DesiredWorkload Limited(DesiredWorkload workload, string size) => workload with
    {
        Template = workload.Template with
        {
            Containers = [workload.Template.Containers[0] with
            {
                Resources = new ResourceRequirements { Limits = new ResourceLimits { EphemeralStorage = Quantity.TryParse(size, out var limit) ? limit : null } },
            }],
        },
    };
}
