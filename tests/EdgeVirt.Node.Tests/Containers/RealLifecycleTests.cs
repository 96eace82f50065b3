using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Protos;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Linux;

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

    [Test]
    public async Task A_hook_runs_inside_before_the_signal()
    {
        await DesireAsync(WithHook("web", ["/bin/busybox", "sh", "-c", "echo hook > /proc/1/fd/1"], grace: 5));
        await agent.UntilAsync("web", IsReady);
        await StopOthersAsync("web");
        Assert.That((await LinesAsync(new LogsRequest { Workload = "web", Tail = -1 }, 2)).Select(line => line.Text), Is.EqualTo(["hook", "term"]));
    }

    [Test]
    public async Task A_hook_that_hangs_is_ended_with_the_grace_period_and_the_signal_still_comes()
    {
        await DesireAsync(WithHook("web", ["/bin/busybox", "sleep", "1000"], grace: 1));
        await agent.UntilAsync("web", IsReady);
        var began = TimeProvider.System.GetTimestamp();
        await StopOthersAsync("web");
        Assert.That(TimeProvider.System.GetElapsedTime(began), Is.GreaterThan(TimeSpan.FromSeconds(1)).And.LessThan(TimeSpan.FromSeconds(10)));
        Assert.That((await LinesAsync(new LogsRequest { Workload = "web", Tail = -1 }, 1)).Select(line => line.Text), Is.EqualTo(["term"]));
    }

    [Test]
    public async Task A_hook_after_the_start_runs_inside_and_says_why_it_failed()
    {
        const string Script = "test -e /data/seen && exit 0; echo first > /data/seen; echo no such service >&2; exit 3";
        var workload = Workload("web", "trap 'exit 0' TERM; while :; do busybox sleep 0.1; done");
        var container = workload.Template.Containers[0] with
        {
            Lifecycle = new Lifecycle { PostStart = new LifecycleHandler { Exec = new ExecAction { Command = ["/bin/busybox", "sh", "-c", Script] } } },
            VolumeMounts = [new VolumeMount { Name = "data", MountPath = "/data" }],
        };
        await DesireAsync(workload with { Template = workload.Template with { Containers = [container], Volumes = [new VolumeSpec { Name = "data", EmptyDir = new EmptyDirSource() }], TerminationGracePeriodSeconds = 5 } });
        var status = await agent.UntilAsync("web", IsReady);
        Assert.That(status.Containers[0].RestartCount, Is.EqualTo(1));
        Assert.That(status.Containers[0].LastExit, Has.Property("Reason").EqualTo("FailedPostStartHook").And.Property("Message").EqualTo("its postStart hook failed: exit code 3: no such service"));
        Assert.That(status.Containers[0].LastExit!.Code, Is.Zero, "it ended by itself within its grace period");
    }

    [Test]
    public async Task What_a_killed_agent_left_of_a_hook_is_ended_before_the_hook_begins_anew()
    {
        var workload = Workload("web", "exec busybox sleep 1000");
        var hook = new LifecycleHandler { Exec = new ExecAction { Command = ["busybox", "sleep", "777"] } };
        await DesireAsync(workload with { Template = workload.Template with { Containers = [workload.Template.Containers[0] with { Lifecycle = new Lifecycle { PostStart = hook } }] } });
        var status = await agent.UntilAsync("web", status => status.Containers[0].State == ContainerState.Running);
        var id = status.Containers[0].ContainerId!;
        var left = Path.Combine(directories.Bundle(id), "exec-99.pid");
        await agent.UntilAsync("web", _ => Commands(id).Contains("busybox sleep 777"));
        // As a SIGKILL leaves it: the command goes on, and its pid file is there.
        await ProcessRunner.RunAsync("runc", ["--root", directories.RuntimeState, "exec", "--detach", "--pid-file", left, id, "busybox", "sh", "-c", "exec busybox sleep 778 >/dev/null 2>&1"], TimeSpan.FromSeconds(20));
        await RestartAsync();
        await agent.UntilAsync("web", _ => Commands(id).Contains("busybox sleep 777"));
        Assert.That(() => Commands(id), Is.EquivalentTo(["busybox sleep 1000", "busybox sleep 777"]).After(2000, 20));
        Assert.That(File.Exists(left), Is.False);
    }

    [Test]
    public async Task A_workload_begins_when_what_it_starts_after_is_Ready()
    {
        var db = Workload("db", "busybox sleep 1; busybox touch /tmp/up; exec busybox sleep 1000");
        var probe = new Probe { Exec = new ExecAction { Command = ["busybox", "test", "-e", "/tmp/up"] }, PeriodSeconds = 1, TimeoutSeconds = 10 };
        db = db with { Template = db.Template with { Containers = [db.Template.Containers[0] with { ReadinessProbe = probe }] } };
        var web = Workload("web", "exec busybox sleep 1000");
        await DesireAsync(web with { Template = web.Template with { StartAfter = [new StartAfter { Workload = "db" }] } }, db);
        Assert.That((await agent.StatusAsync("web"))!.Conditions[0].Reason, Is.EqualTo(ReadyReasons.WaitingForWorkload));
        Assert.That(agent.Records.FindSandbox("web-uid1"), Is.Null);
        var status = await agent.UntilAsync("web", IsReady);
        var before = await agent.StatusAsync("db");
        Assert.That(IsReady(before!), Is.True);
        Assert.That(status.Containers[0].StartedAt, Is.GreaterThan(before!.Containers[0].StartedAt!.Value + TimeSpan.FromSeconds(1)));
    }

    private List<string> Commands(string id) => [.. new Cgroups().Processes(directories.Cgroup(id)).Select(pid => string.Join(' ', Processes.ArgumentsOf(pid)))];

    // Ends the run as a failed probe would, so that its log stays.
    private async Task StopOthersAsync(string name)
    {
        var status = await agent.StatusAsync(name);
        var record = agent.Records.FindContainer(status!.Containers[0].ContainerId!)!;
        await agent.DisposeAsync();
        agent.Records.Write(record with { StopCause = "the test wants it" });
        agent = NewAgent();
        await agent.UntilAsync(name, now => now.Containers[0].State == ContainerState.Terminated);
    }

    private static DesiredWorkload WithHook(string name, IReadOnlyList<string> command, int grace)
    {
        var workload = Workload(name, "trap 'echo term; exit 0' TERM; while :; do busybox sleep 0.1; done");
        var container = workload.Template.Containers[0] with { Lifecycle = new Lifecycle { PreStop = new LifecycleHandler { Exec = new ExecAction { Command = command } } } };
        return workload with { Template = workload.Template with { Containers = [container], TerminationGracePeriodSeconds = grace, RestartPolicy = RestartPolicy.Never } };
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
