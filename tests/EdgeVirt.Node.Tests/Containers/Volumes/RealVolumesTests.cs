using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.Containers.Volumes;
using EdgeVirt.Node.Tests.Hub;

namespace EdgeVirt.Node.Tests.Containers.Volumes;

/// <summary>Volumes of containers that really run.</summary>
[Category("root")]
internal sealed class RealVolumesTests : RealContainersFixture
{
    private const string Kept = "test -f /v/count || echo 0 > /v/count; n=$(cat /v/count); echo $((n+1)) > /v/count; exec busybox sleep 1000";

    [Test]
    public async Task A_persistent_volume_outlives_updates_the_agent_and_the_workload()
    {
        await DesireAsync(With(Workload("web", Kept), Persistent("journal", "32Mi")));
        await agent.UntilAsync("web", IsReady);
        await CountIsAsync(1);
        await DesireAsync(With(Workload("web", Kept + " # changed"), Persistent("journal", "32Mi")) with { Generation = 2 });
        await agent.UntilAsync("web", status => IsReady(status) && status.ObservedGeneration == 2);
        await CountIsAsync(2);
        await RestartAsync();
        await agent.ReconcileAsync();
        await agent.UntilAsync("web", IsReady);
        var listed = persistent.List().Items.Single();
        Assert.That((listed.Name, listed.SizeBytes, listed.UsedBy), Is.EqualTo(("journal", 32L << 20, new[] { "web" })));
        Assert.That(listed.UsedBytes, Is.GreaterThan(0));
        Assert.That(() => persistent.DeleteAsync("journal", default), Throws.InstanceOf<VolumeRefusedException>().With.Message.Contains("workload web"));

        await DesireAsync();
        await agent.UntilGoneAsync("web");
        AssertNothingIsLeft();
        Assert.That(persistent.List().Items.Single(), Has.Property("UsedBytes").Null.And.Property("UsedBy").Empty);

        await DesireAsync(With(Workload("other", Kept), Persistent("journal", "48Mi")));
        await agent.UntilAsync("other", IsReady);
        await CountIsAsync(3);
        Assert.That(persistent.List().Items.Single().SizeBytes, Is.EqualTo(48L << 20), "it has grown");

        await DesireAsync();
        await agent.UntilGoneAsync("other");
        await persistent.DeleteAsync("journal", default);
        Assert.That(persistent.List().Items, Is.Empty);
        Assert.That(Directory.GetFileSystemEntries(directories.PersistentVolumes), Is.Empty);
    }

    [Test]
    public async Task A_full_volume_stops_nobody_but_its_own_workload()
    {
        const string Fill = "busybox dd if=/dev/zero of=/v/big bs=1M count=64 2>&1; echo over > /v/more; echo $?; exec busybox sleep 1000";
        await DesireAsync(
            With(Workload("greedy", Fill), new VolumeSpec { Name = "v", EmptyDir = new EmptyDirSource { SizeLimit = Amount("16Mi") } }),
            With(Workload("modest", "echo fine > /v/f; cat /v/f; exec busybox sleep 1000"), new VolumeSpec { Name = "v", EmptyDir = new EmptyDirSource() }));
        await agent.UntilAsync("greedy", IsReady);
        await agent.UntilAsync("modest", IsReady);
        var lines = await LinesAsync(new EdgeVirt.Contracts.Protos.LogsRequest { Workload = "greedy", Tail = -1 }, 4);
        Assert.That(lines.Select(line => line.Text), Has.Some.Contains("No space left on device"));
        Assert.That((await LinesAsync(new EdgeVirt.Contracts.Protos.LogsRequest { Workload = "modest", Tail = -1 }, 1)).Select(line => line.Text), Is.EqualTo(["fine"]));
    }

    [Test]
    public async Task An_empty_directory_in_memory_has_its_size_and_is_kept_over_updates()
    {
        const string Script = "busybox df -m /v | busybox tail -1; test -f /v/f && echo found; echo x > /v/f; exec busybox sleep 1000";
        var memory = new VolumeSpec { Name = "v", EmptyDir = new EmptyDirSource { Medium = EmptyDirMedium.Memory, SizeLimit = Amount("8Mi") } };
        await DesireAsync(With(Workload("web", Script), memory));
        await agent.UntilAsync("web", IsReady);
        var written = Path.Combine(directories.EmptyDirs("web-uid1"), "v.memory", "data", "f");
        await Eventually.HoldsAsync(() => File.Exists(written), "the file");
        await DesireAsync(With(Workload("web", Script + " # changed"), memory) with { Generation = 2 });
        await agent.UntilAsync("web", status => IsReady(status) && status.ObservedGeneration == 2);
        var lines = (await LinesAsync(new EdgeVirt.Contracts.Protos.LogsRequest { Workload = "web", Tail = -1 }, 2)).Select(line => line.Text).ToList();
        Assert.That(lines[0], Does.Match(@"^edgevirt\s+8 "));
        Assert.That(lines[^1], Is.EqualTo("found"));
        await DesireAsync();
        await agent.UntilGoneAsync("web");
        AssertNothingIsLeft();
        Assert.That(Directory.GetFileSystemEntries(directories.Volumes), Is.Empty);
    }

    [Test]
    public async Task Host_paths_and_sub_paths_appear_in_the_container_and_leave_no_mount()
    {
        File.WriteAllText(Path.Combine(directory.Subdirectory("shared"), "f"), "of the node\n");
        var shared = new VolumeSpec { Name = "v", HostPath = new HostPathSource { Path = directory.Combine("shared"), Type = HostPathType.Directory } };
        var data = new VolumeSpec { Name = "data", EmptyDir = new EmptyDirSource() };
        var workload = With(Workload("web", "cat /v/f; echo x > /v/g || echo refused; echo y > /data/h; exec busybox sleep 1000"), shared);
        workload = workload with
        {
            Template = workload.Template with
            {
                Volumes = [shared, data],
                Containers = [workload.Template.Containers[0] with
                {
                    VolumeMounts = [new VolumeMount { Name = "v", MountPath = "/v", ReadOnly = true }, new VolumeMount { Name = "data", MountPath = "/data", SubPath = "own/part" }],
                }],
            },
        };
        await DesireAsync(workload);
        await agent.UntilAsync("web", IsReady);
        var lines = await LinesAsync(new EdgeVirt.Contracts.Protos.LogsRequest { Workload = "web", Tail = -1 }, 3);
        Assert.That(lines.Select(line => line.Text), Has.Member("of the node").And.Member("refused"));
        await Eventually.HoldsAsync(() => File.Exists(Path.Combine(directories.EmptyDirs("web-uid1"), "data", "own", "part", "h")), "the file in the part");
        await DesireAsync();
        await agent.UntilGoneAsync("web");
        AssertNothingIsLeft();
        Assert.That(Directory.GetFiles(directory.Combine("shared")), Has.Length.EqualTo(1));
    }

    [Test]
    public async Task A_host_path_that_is_not_allowed_is_refused_with_what_to_do()
    {
        await DesireAsync(With(Workload("web", Kept), new VolumeSpec { Name = "v", HostPath = new HostPathSource { Path = "/etc" } }));
        var status = await agent.UntilAsync("web", status => status.Conditions[0].Reason == ReadyReasons.HostPathRefused);
        Assert.That(status.Conditions[0].Message, Does.Contain("/etc").And.Contain("allowedHostPaths"));
        Assert.That(status.Containers[0].State, Is.EqualTo(ContainerState.Waiting));
    }

    [Test]
    public async Task A_volume_that_the_disk_has_no_place_for_is_said_in_the_condition()
    {
        await DesireAsync(With(Workload("web", Kept), Persistent("huge", "900Ti")));
        var status = await agent.UntilAsync("web", status => status.Conditions[0].Reason == ReadyReasons.StartFailed);
        Assert.That(status.Conditions[0].Message, Does.Contain("volume 'v'").And.Contain("huge"));
        Assert.That(persistent.List().Items, Is.Empty);
    }

    protected override NodeOptions Configure(NodeOptions defaults) => defaults with { AllowedHostPaths = [new AllowedHostPath { PathPrefix = directory.Combine("shared"), ReadOnly = true }] };

    private Task CountIsAsync(int count) => Eventually.HoldsAsync(
        () => Path.Combine(persistent.PathOf("journal"), "count") is var file && File.Exists(file) && File.ReadAllText(file) == $"{count}\n", $"count {count}");

    private static VolumeSpec Persistent(string name, string size) =>
        new() { Name = "v", PersistentVolume = new PersistentVolumeSource { VolumeName = name, SizeLimit = Amount(size) } };

    private static Quantity Amount(string text) => Quantity.TryParse(text, out var quantity) ? quantity : throw new ArgumentException(text);

    private static DesiredWorkload With(DesiredWorkload workload, VolumeSpec volume) => workload with
    {
        Template = workload.Template with
        {
            Volumes = [volume],
            Containers = [.. workload.Template.Containers.Select(container => container with { VolumeMounts = [new VolumeMount { Name = "v", MountPath = "/v" }] })],
        },
    };
}
