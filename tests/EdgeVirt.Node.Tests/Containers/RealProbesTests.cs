using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Linux;
using EdgeVirt.Node.Containers.Probes;

namespace EdgeVirt.Node.Tests.Containers;

/// <summary>Probes of real containers, over the workload's own network and inside it.</summary>
[Category("root")]
internal sealed class RealProbesTests : RealContainersFixture
{
    private static readonly Probe Quick = new() { PeriodSeconds = 1, FailureThreshold = 1, TimeoutSeconds = 5 };

    [Test]
    public async Task Http_reaches_the_workloads_own_address()
    {
        const string Script = "busybox mkdir /www; exec busybox httpd -f -p 8080 -h /www";
        await DesireAsync(Probed("web", Script, readiness: Quick with { FailureThreshold = 3, HttpGet = new HttpGetAction { Port = 8080, Path = "/ok" } }));
        var status = await agent.UntilAsync("web", status => status.Conditions[0].Message?.Contains("HTTP status 404") == true);
        Assert.That(status.Conditions[0].Reason, Is.EqualTo(ReadyReasons.ProbeFailed));
        File.WriteAllText(Path.Combine(directories.Root(status.Containers[0].ContainerId!), "www", "ok"), "yes");
        await agent.UntilAsync("web", IsReady);
    }

    [Test]
    public async Task Tcp_finds_out_when_somebody_listens()
    {
        await DesireAsync(Probed("web", "busybox sleep 2; exec busybox nc -ll -p 80 -e /bin/busybox true", readiness: Quick with { TcpSocket = new TcpSocketAction { Port = 80 } }));
        await agent.UntilAsync("web", status => status.Conditions[0].Message?.Contains("Connection refused") == true);
        await agent.UntilAsync("web", IsReady);
    }

    [Test]
    public async Task A_command_inside_that_fails_its_liveness_has_the_container_restarted()
    {
        var probe = Quick with { Exec = new ExecAction { Command = ["busybox", "sh", "-c", "test -e /tmp/alive || { echo it is gone >&2; exit 4; }"] } };
        await DesireAsync(Probed("web", "trap 'exit 0' TERM; busybox touch /tmp/alive; while :; do busybox sleep 0.1; done", startup: probe with { FailureThreshold = 30 }, liveness: probe));
        var status = await agent.UntilAsync("web", IsReady);
        File.Delete(Path.Combine(directories.Root(status.Containers[0].ContainerId!), "tmp", "alive"));
        status = await agent.UntilAsync("web", status => IsReady(status) && status.Containers[0].RestartCount == 1);
        Assert.That(status.Containers[0].LastExit, Has.Property("Reason").EqualTo("ProbeFailed").And.Property("Message").EqualTo("its liveness probe failed: exit code 4: it is gone"));
        Assert.That(status.Containers[0].LastExit!.Code, Is.Zero, "it ended by itself within its grace period");
    }

    [Test]
    public async Task A_command_inside_has_a_hard_end_and_leaves_nothing()
    {
        await DesireAsync(Probed("web", "exec busybox sleep 1000", grace: 1));
        var status = await agent.UntilAsync("web", IsReady);
        var record = agent.Records.FindContainer(status.Containers[0].ContainerId!)!;
        var action = new ContainerAction.Exec(["busybox", "sh", "-c", "busybox sleep 777 & busybox sleep 778"]);
        var answer = await agent.Runtime.ActAsync(record, action, TimeSpan.FromSeconds(1), default);
        Assert.That(answer, Is.EqualTo(ActionAnswer.Failed("no end within 1 s")));
        Assert.That(() => new Cgroups().Processes(directories.Cgroup(record.Id)).Select(pid => string.Join(' ', Processes.ArgumentsOf(pid))), Is.EqualTo(["busybox sleep 1000"]).After(2000, 20));
        Assert.That(Directory.GetFiles(directories.Bundle(record.Id), "exec-*"), Is.Empty);
        Assert.That(await agent.Runtime.ActAsync(record, new ContainerAction.Exec(["/no/such"]), TimeSpan.FromSeconds(5), default), Has.Property("Succeeded").False.And.Property("Message").Contains("/no/such"));
        Assert.That(await agent.Runtime.ActAsync(record, new ContainerAction.Exec(["busybox", "true"]), TimeSpan.FromSeconds(5), default), Is.EqualTo(ActionAnswer.Success));
    }

    private static DesiredWorkload Probed(string name, string script, Probe? startup = null, Probe? readiness = null, Probe? liveness = null, int grace = 5)
    {
        var workload = Workload(name, script);
        var container = workload.Template.Containers[0] with { StartupProbe = startup, ReadinessProbe = readiness, LivenessProbe = liveness };
        return workload with { Template = workload.Template with { Containers = [container], TerminationGracePeriodSeconds = grace } };
    }
}
