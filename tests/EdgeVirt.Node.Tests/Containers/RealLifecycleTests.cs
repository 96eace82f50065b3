using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Protos;
using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Node.Tests.Containers;

/// <summary>How real containers begin and end.</summary>
[Category("root")]
internal sealed class RealLifecycleTests : RealContainersFixture
{
    [Test]
    public async Task Init_containers_run_in_order_before_the_others_and_can_be_read()
    {
        await DesireAsync(WithInit("web", "echo one >> /data/f; echo begun", "busybox test \"$(cat /data/f)\" = one && echo two >> /data/f"));
        var status = await agent.UntilAsync("web", IsReady);
        Assert.That(status.InitContainers!.Select(init => (init.Name, init.State, init.LastExit!.Reason)), Is.EqualTo([("one", ContainerState.Terminated, "Completed"), ("two", ContainerState.Terminated, "Completed")]));
        Assert.That((await LinesAsync(new LogsRequest { Workload = "web", Container = "main", Tail = -1 }, 2)).Select(line => line.Text), Is.EqualTo(["one", "two"]));
        Assert.That((await LinesAsync(new LogsRequest { Workload = "web", Container = "one", Tail = -1 }, 1)).Select(line => line.Text), Is.EqualTo(["begun"]));

        await RestartAsync();
        await agent.ReconcileAsync();
        status = await agent.UntilAsync("web", IsReady);
        Assert.That(status.InitContainers!.Select(init => init.RestartCount), Is.EqualTo([0, 0]), "not again for a restart of the agent");
        await DesireAsync();
        await agent.UntilGoneAsync("web");
        AssertNothingIsLeft();
    }

    [Test]
    public async Task An_init_container_that_fails_keeps_the_others_from_starting()
    {
        await DesireAsync(WithInit("again", "exit 3", "true"));
        var status = await agent.UntilAsync("again", status => status.InitContainers![0].RestartCount > 1 && status.Conditions[0].Reason == ReadyReasons.Restarting);
        Assert.That(status.Conditions[0].Message, Does.Contain("init container 'one' ended with exit code 3"));
        Assert.That(status.Containers[0], Has.Property("State").EqualTo(ContainerState.Waiting).And.Property("ContainerId").Null);

        var never = WithInit("never", "exit 3", "true");
        await DesireAsync(never with { Template = never.Template with { RestartPolicy = RestartPolicy.Never } });
        status = await agent.UntilAsync("never", status => status.Conditions[0].Reason == ReadyReasons.Failed);
        Assert.That(status.InitContainers![1].ContainerId, Is.Null);
    }

    private static DesiredWorkload WithInit(string name, string one, string two)
    {
        var workload = Workload(name, "cat /data/f; exec busybox sleep 1000");
        ContainerSpec Container(string called, string script) => new()
        {
            Name = called, Image = "r.local/busybox:1", Command = ["/bin/busybox", "sh", "-c", script], VolumeMounts = [new VolumeMount { Name = "data", MountPath = "/data" }],
        };
        return workload with
        {
            Template = workload.Template with
            {
                InitContainers = [Container("one", one), Container("two", two)],
                Containers = [workload.Template.Containers[0] with { VolumeMounts = [new VolumeMount { Name = "data", MountPath = "/data" }] }],
                Volumes = [new VolumeSpec { Name = "data", EmptyDir = new EmptyDirSource() }],
            },
        };
    }
}
