using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Protos;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.Tests.Hub;

namespace EdgeVirt.Node.Tests.Containers.Volumes;

/// <summary>Secrets and Configs that change under containers that really run.</summary>
[Category("root")]
internal sealed class RealProjectionTests : RealContainersFixture
{
    private const string Show = "while ! cat /c/sub/a.conf | busybox grep -q two; do busybox usleep 20000; done; echo saw; cat /c/sub/a.conf; exec busybox sleep 1000";

    [Test]
    public async Task A_changed_Config_is_seen_by_the_same_container_and_a_missing_one_is_told()
    {
        var workload = With(Workload("web", Show), mount => mount);
        await DesireAsync(Document(workload, "one\n"));
        var id = (await agent.UntilAsync("web", IsReady)).Containers[0].ContainerId;
        await DesireAsync(Document(workload, "two\n"));
        Assert.That((await LinesAsync(new LogsRequest { Workload = "web", Tail = -1 }, 2)).Select(line => line.Text), Is.EqualTo(["saw", "two"]));
        Assert.That((await agent.StatusAsync("web"))!.Containers[0].ContainerId, Is.EqualTo(id));

        await DesireAsync(Document(workload, null));
        var status = await agent.UntilAsync("web", status => status.Conditions[0].Reason == ReadyReasons.ReferenceMissing);
        Assert.That((status.Conditions[0].Message, status.Containers[0].ContainerId, status.Containers[0].State), Is.EqualTo((status.Conditions[0].Message, id, ContainerState.Running)));
        Assert.That(status.Conditions[0].Message, Does.Contain("Config 'c'"));
        await DesireAsync(Document(workload, "three\n"));
        Assert.That((await agent.UntilAsync("web", IsReady)).Containers[0].ContainerId, Is.EqualTo(id));
    }

    [Test]
    public async Task What_an_agent_that_was_away_missed_is_caught_up_with()
    {
        var workload = With(Workload("web", Show), mount => mount);
        await DesireAsync(Document(workload, "one\n"));
        var id = (await agent.UntilAsync("web", IsReady)).Containers[0].ContainerId;
        await RestartAsync();
        await DesireAsync(Document(workload, "two\n"));
        await agent.UntilAsync("web", IsReady);
        await Eventually.HoldsAsync(() => File.ReadAllText(Path.Combine(directories.SecretVolumes("web-uid1"), "c", "sub", "a.conf")) == "two\n", "the new content");
        Assert.That((await agent.StatusAsync("web"))!.Containers[0].ContainerId, Is.EqualTo(id));
    }

    [Test]
    public async Task A_container_that_has_a_subPath_of_it_starts_anew()
    {
        var workload = With(Workload("web", "exec busybox sleep 1000"), mount => mount with { SubPath = "sub/a.conf" });
        await DesireAsync(Document(workload, "one\n"));
        var began = (await agent.UntilAsync("web", IsReady)).Containers[0].StartedAt;
        await DesireAsync(Document(workload, "two\n"));
        Assert.That((await agent.UntilAsync("web", status => IsReady(status) && status.Containers[0].StartedAt != began)).Containers[0].State, Is.EqualTo(ContainerState.Running));
    }

    [Test]
    public async Task Volumes_belong_to_the_group_that_the_workload_says()
    {
        const string Script = "id -G; stat -Lc '%g %a' /c/sub/a.conf /data; echo x > /data/f; stat -c %g /data/f; cat /c/sub/a.conf; exec busybox sleep 1000";
        var workload = With(Workload("web", Script), mount => mount);
        workload = workload with
        {
            Template = workload.Template with
            {
                SecurityContext = new PodSecurityContext { RunAsUser = 1000, RunAsGroup = 1000, FsGroup = 4242 },
                Volumes = [new VolumeSpec { Name = "c", Config = new ConfigSource { Name = "c", DefaultMode = 0x100, Items = [new KeyToPath { Key = "a", Path = "sub/a.conf" }] } }, new VolumeSpec { Name = "data", EmptyDir = new EmptyDirSource { SizeLimit = Quantity.TryParse("4Mi", out var size) ? size : null } }],
                Containers = [workload.Template.Containers[0] with { VolumeMounts = [new VolumeMount { Name = "c", MountPath = "/c" }, new VolumeMount { Name = "data", MountPath = "/data" }] }],
            },
        };
        await DesireAsync(Document(workload, "content\n"));
        await agent.UntilAsync("web", IsReady);
        Assert.That((await LinesAsync(new LogsRequest { Workload = "web", Tail = -1 }, 5)).Select(line => line.Text), Is.EqualTo(["1000 4242", "4242 440", "4242 2777", "4242", "content"]));
    }

    private static NodeDocument Document(DesiredWorkload workload, string? content) => new()
    {
        Node = "n", Workloads = [workload], Configs = content is null ? [] : [new DesiredConfig { Name = "c", Data = new Dictionary<string, string> { ["a"] = content } }],
    };

    private static DesiredWorkload With(DesiredWorkload workload, Func<VolumeMount, VolumeMount> mount) => workload with
    {
        Template = workload.Template with
        {
            Volumes = [new VolumeSpec { Name = "c", Config = new ConfigSource { Name = "c", Items = [new KeyToPath { Key = "a", Path = "sub/a.conf" }] } }],
            Containers = [workload.Template.Containers[0] with { VolumeMounts = [mount(new VolumeMount { Name = "c", MountPath = "/c" })] }],
        },
    };
}
