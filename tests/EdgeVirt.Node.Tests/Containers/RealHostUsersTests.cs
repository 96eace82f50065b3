using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Protos;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Linux.Files;
using EdgeVirt.Node.Containers.Probes;

namespace EdgeVirt.Node.Tests.Containers;

/// <summary>Real containers with user namespaces of their own.</summary>
[Category("root")]
internal sealed class RealHostUsersTests : RealContainersFixture
{
    private const uint First = 1u << 30;

    [SetUp]
    public void LetOthersThrough() =>
        // As the agent makes its data directory: the mapped root has to pass through to its own.
        File.SetUnixFileMode(directory.Path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute);

    [Test]
    public async Task Root_in_the_container_is_nobody_on_the_node_and_has_its_own_network()
    {
        const string Script = "busybox id -u; busybox stat -c %u /bin/busybox; busybox touch /tmp/mine; busybox ip link set lo down && echo down; echo x >> /etc/hosts && echo hosts; " +
            "exec busybox nc -ll -p 80 -e /bin/busybox cat /proc/self/uid_map";
        var workload = OwnUsers(Workload("web", Script, port: 8080));
        var container = workload.Template.Containers[0] with { SecurityContext = new SecurityContext { Capabilities = new CapabilityChanges { Add = ["NET_ADMIN"] } } };
        await DesireAsync(workload with { Template = workload.Template with { Containers = [container] } });
        var status = await agent.UntilAsync("web", IsReady);
        var id = status.Containers[0].ContainerId!;
        Assert.That((await LinesAsync(new LogsRequest { Workload = "web", Tail = -1 }, 4)).Select(line => line.Text), Is.EqualTo(["0", "0", "down", "hosts"]));
        Assert.That((await AnswerAsync(8080)).Split(' ', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries), Is.EqualTo(["0", $"{First}", "65536"]));
        Assert.That(File.ReadAllLines($"/proc/{File.ReadAllText(directories.PidFile(id)).Trim()}/status"), Has.Some.EqualTo($"Uid:\t{First}\t{First}\t{First}\t{First}"));
        Assert.That(OwnerOf(Path.Combine(directories.Root(id), "tmp", "mine")), Is.EqualTo(First));
        const UnixFileMode Owner = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
        Assert.That(File.GetUnixFileMode(directories.Container(id)), Is.EqualTo(Owner | UnixFileMode.GroupExecute), "its root is let in by its group, and nobody else is");
        Assert.That(new[] { directories.Sandboxes, directories.Volumes }.Select(File.GetUnixFileMode), Has.All.EqualTo(Owner));

        var record = agent.Records.FindContainer(id)!;
        Assert.That(await agent.Runtime.ActAsync(record, new ContainerAction.Exec(["busybox", "touch", "/tmp/by-exec"]), TimeSpan.FromSeconds(20), default), Is.EqualTo(ActionAnswer.Success));
        Assert.That(OwnerOf(Path.Combine(directories.Root(id), "tmp", "by-exec")), Is.EqualTo(First));
        await DesireAsync();
        await agent.UntilGoneAsync("web");
        AssertNothingIsLeft();
    }

    [Test]
    public async Task Files_of_volumes_keep_the_ids_that_the_containers_see()
    {
        const string Script = "for v in e m p sub; do echo x > /$v/f && busybox chown 1000:1000 /$v/f || exit 3; done; busybox touch /s/new 2>/dev/null && exit 4; busybox touch /r/new 2>/dev/null && exit 5; busybox cat /s/key && busybox stat -c %u /s/key; exec busybox sleep 1000";
        var workload = OwnUsers(Workload("web", Script));
        VolumeSpec[] volumes =
        [
            new() { Name = "e", EmptyDir = new EmptyDirSource() },
            new() { Name = "m", EmptyDir = new EmptyDirSource { Medium = EmptyDirMedium.Memory } },
            new() { Name = "p", PersistentVolume = new PersistentVolumeSource { VolumeName = "kept", SizeLimit = Size("32Mi") } },
            new() { Name = "s", Secret = new SecretSource { SecretName = "s", DefaultMode = 0x100 } },
        ];
        var mounts = volumes.Select(volume => new VolumeMount { Name = volume.Name, MountPath = "/" + volume.Name }).Append(new VolumeMount { Name = "e", MountPath = "/sub", SubPath = "below" }).Append(new VolumeMount { Name = "m", MountPath = "/r", ReadOnly = true }).ToList();
        workload = workload with { Template = workload.Template with { Volumes = volumes, Containers = [workload.Template.Containers[0] with { VolumeMounts = mounts }] } };
        await DesireAsync(new NodeDocument { Node = "n", Workloads = [workload], Secrets = [new DesiredSecret { Name = "s", Data = new Dictionary<string, byte[]> { ["key"] = "secret\n"u8.ToArray() } }] });
        await agent.UntilAsync("web", IsReady);
        Assert.That((await LinesAsync(new LogsRequest { Workload = "web", Tail = -1 }, 2)).Select(line => line.Text), Is.EqualTo(["secret", "0"]));
        var empty = Path.Combine(directories.EmptyDirs("web-uid1"), "e");
        string[] files = [Path.Combine(empty, "f"), Path.Combine(empty, "below", "f"), Path.Combine(directories.EmptyDirs("web-uid1"), "m.memory", "data", "f"), Path.Combine(persistent.PathOf("kept"), "f")];
        Assert.That(files.Select(OwnerOf), Has.All.EqualTo(1000u));
        await DesireAsync();
        await agent.UntilGoneAsync("web");
        AssertNothingIsLeft();
    }

    [Test]
    public async Task Each_workload_has_ids_of_its_own_that_a_restart_of_the_agent_leaves_to_it()
    {
        await DesireAsync(OwnUsers(Workload("one", "exec busybox sleep 1000")), OwnUsers(Workload("two", "exec busybox sleep 1000")));
        await agent.UntilAsync("one", IsReady);
        var status = await agent.UntilAsync("two", IsReady);
        uint?[] taken = [IdsOf("one"), IdsOf("two")];
        Assert.That(taken, Is.EquivalentTo(new uint?[] { First, First + UserIds.PerWorkload }));
        await RestartAsync();
        await DesireAsync(OwnUsers(Workload("one", "exec busybox sleep 1000")), OwnUsers(Workload("two", "exec busybox sleep 1000")), OwnUsers(Workload("three", "exec busybox sleep 1000")));
        await agent.UntilAsync("three", IsReady);
        Assert.That((await agent.UntilAsync("two", IsReady)).Containers[0].ContainerId, Is.EqualTo(status.Containers[0].ContainerId), "adopted");
        Assert.That(new[] { IdsOf("one"), IdsOf("two"), IdsOf("three") }, Is.EqualTo(taken.Append(First + 2 * UserIds.PerWorkload)));
        await DesireAsync(OwnUsers(Workload("three", "exec busybox sleep 1000")));
        await agent.UntilGoneAsync("one");
        await agent.UntilGoneAsync("two");
        await DesireAsync(OwnUsers(Workload("three", "exec busybox sleep 1000")), OwnUsers(Workload("four", "exec busybox sleep 1000")));
        await agent.UntilAsync("four", IsReady);
        Assert.That(IdsOf("four"), Is.EqualTo(First), "what was freed is given again");
    }

    [Test]
    public async Task Where_the_kernel_cannot_map_the_owners_of_a_file_system_the_container_does_not_start_and_says_so()
    {
        // proc is a file system that cannot.
        options = options with { AllowedHostPaths = [new AllowedHostPath { PathPrefix = "/proc" }] };
        await RestartAsync();
        var workload = OwnUsers(Workload("web", "exec busybox sleep 1000"));
        await DesireAsync(workload with
        {
            Template = workload.Template with
            {
                Volumes = [new VolumeSpec { Name = "v", HostPath = new HostPathSource { Path = "/proc" } }],
                Containers = [workload.Template.Containers[0] with { VolumeMounts = [new VolumeMount { Name = "v", MountPath = "/v" }] }],
            },
        });
        var status = await agent.UntilAsync("web", status => status.Conditions[0].Reason == ReadyReasons.StartFailed);
        Assert.That(status.Conditions[0].Message, Does.Contain("map the owners of files").And.Contain("/v"));
    }

    [Test]
    public async Task A_terminal_and_another_user_work_as_ever()
    {
        var workload = OwnUsers(Workload("web", "busybox echo x > /data/f; busybox id -u; busybox tty; exec busybox sleep 1000"));
        var container = workload.Template.Containers[0] with { Tty = true, VolumeMounts = [new VolumeMount { Name = "d", MountPath = "/data" }] };
        var template = workload.Template with
        {
            Containers = [container],
            Volumes = [new VolumeSpec { Name = "d", EmptyDir = new EmptyDirSource() }],
            SecurityContext = new PodSecurityContext { RunAsUser = 1000, RunAsGroup = 1000, FsGroup = 2000 },
        };
        await DesireAsync(workload with { Template = template });
        await agent.UntilAsync("web", IsReady);
        Assert.That((await LinesAsync(new LogsRequest { Workload = "web", Tail = -1 }, 2)).Select(line => line.Text.TrimEnd('\r')), Is.EqualTo(["1000", "/dev/pts/0"]));
        using var written = PinnedPath.TryOpen(Path.Combine(directories.EmptyDirs("web-uid1"), "d", "f"))!;
        Assert.That((written.User, written.Group), Is.EqualTo((1000u, 2000u)));
    }

    private static DesiredWorkload OwnUsers(DesiredWorkload workload) => workload with { Template = workload.Template with { HostUsers = false } };

    private static Quantity Size(string text) => Quantity.TryParse(text, out var size) ? size : throw new ArgumentException(text);

    private static uint OwnerOf(string path)
    {
        using var file = PinnedPath.TryOpen(path)!;
        return file.User;
    }

    private uint? IdsOf(string workload) => agent.Records.Sandboxes.Single(sandbox => sandbox.Workload == workload).FirstHostId;
}
