using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.Containers;
using EdgeVirt.Node.Containers.Probes;
using EdgeVirt.Testing;
using Microsoft.Extensions.Time.Testing;

namespace EdgeVirt.Node.Tests.Containers;

/// <summary>What probes do to a workload, with a runtime that answers as told.</summary>
internal sealed class ProbedWorkloadsTests
{
    private static readonly Probe Tcp = new() { TcpSocket = new TcpSocketAction { Port = 80 }, FailureThreshold = 1 };

    private readonly FakeTimeProvider time = new(new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero));
    private TempDirectory directory = null!;
    private FakeContainerRuntime runtime = null!;
    private AgentUnderTest agent = null!;

    [SetUp]
    public void SetUp()
    {
        directory = new TempDirectory();
        runtime = new FakeContainerRuntime(time);
        agent = NewAgent();
    }

    [TearDown]
    public async Task TearDown()
    {
        await agent.DisposeAsync();
        directory.Dispose();
    }

    [Test]
    public async Task Readiness_decides_the_condition_and_says_why()
    {
        runtime.Answers["main"] = _ => ActionAnswer.Failed("Connection refused");
        await agent.DesireAsync(1, Document(Container() with { ReadinessProbe = Tcp }));
        time.Advance(TimeSpan.Zero);
        var status = await agent.UntilAsync("web", status => Ready(status).Reason == ReadyReasons.ProbeFailed);
        Assert.That(Ready(status).Message, Is.EqualTo("container 'main' fails its readiness probe: Connection refused"));
        Assert.That(status.Containers[0], Has.Property("State").EqualTo(ContainerState.Running).And.Property("Ready").False.And.Property("RestartCount").Zero);
        runtime.Answers.Clear();
        time.Advance(TimeSpan.FromSeconds(10));
        status = await agent.UntilAsync("web", status => Ready(status).Status == ConditionStatus.True);
        Assert.That(status.Containers[0].Ready, Is.True);
        Assert.That(runtime.Running, Is.EqualTo(["web-uid1-main-0"]));
    }

    [TestCase(RestartPolicy.Always, true)]
    [TestCase(RestartPolicy.OnFailure, true)]
    [TestCase(RestartPolicy.Never, false)]
    public async Task A_failed_liveness_probe_stops_the_run_and_the_policy_decides_what_follows(RestartPolicy policy, bool again)
    {
        await agent.DesireAsync(1, Document(Container() with { LivenessProbe = Tcp with { FailureThreshold = 2 } }, policy));
        await agent.UntilAsync("web", status => Ready(status).Status == ConditionStatus.True && runtime.Calls.Contains("ask web-uid1-main-0"));
        runtime.Answers["main"] = _ => ActionAnswer.Failed("HTTP status 500");
        await AdvanceUntilAsync(status => status.Containers[0].LastExit is not null);
        runtime.Answers.Clear();
        var status = await AdvanceUntilAsync(status => status.Containers[0].State == (again ? ContainerState.Running : ContainerState.Terminated));
        Assert.That(status.Containers[0].LastExit, Has.Property("Reason").EqualTo("ProbeFailed").And.Property("Message").EqualTo("its liveness probe failed: HTTP status 500"));
        Assert.That(runtime.Calls, Does.Contain("stop web-uid1-main-0"));
        Assert.That(status.Containers[0].RestartCount, Is.EqualTo(again ? 1 : 0));
    }

    [Test]
    public async Task Nobody_is_asked_before_its_time_and_nothing_wakes_without_probes()
    {
        await agent.DesireAsync(1, Document(Container() with { ReadinessProbe = Tcp with { InitialDelaySeconds = 60 } }));
        var status = await agent.UntilAsync("web", status => status.Containers[0].State == ContainerState.Running);
        Assert.That(Ready(status), Has.Property("Reason").EqualTo(ReadyReasons.Starting).And.Property("Message").Contains("readiness"));
        time.Advance(TimeSpan.FromSeconds(59));
        await agent.ReconcileAsync();
        Assert.That(runtime.Calls.Where(call => call.StartsWith("ask", StringComparison.Ordinal)), Is.Empty);
        time.Advance(TimeSpan.FromSeconds(1));
        await agent.UntilAsync("web", status => Ready(status).Status == ConditionStatus.True);
    }

    [Test]
    public async Task A_restart_of_the_agent_makes_nothing_unready()
    {
        await agent.DesireAsync(1, Document(Container() with { StartupProbe = Tcp, ReadinessProbe = Tcp with { FailureThreshold = 3 } }));
        await agent.UntilAsync("web", status => Ready(status).Status == ConditionStatus.True);
        await agent.DisposeAsync();
        runtime.Answers["main"] = _ => throw new IOException("busy");
        agent = NewAgent();
        await agent.ReconcileAsync();
        Assert.That(Ready((await agent.StatusAsync("web"))!).Status, Is.EqualTo(ConditionStatus.True));
        await AdvanceUntilAsync(status => Ready(status) is { Reason: ReadyReasons.ProbeFailed, Message: "container 'main' fails its readiness probe: busy" });
    }

    [Test]
    public async Task A_run_whose_probe_failed_is_stopped_by_a_later_agent_too()
    {
        await agent.DesireAsync(1, Document(Container() with { LivenessProbe = Tcp with { InitialDelaySeconds = 3600 } }));
        await agent.UntilAsync("web", status => Ready(status).Status == ConditionStatus.True);
        var record = agent.Records.FindContainer("web-uid1-main-0")!;
        await agent.DisposeAsync();
        new RecordStore(new NodeDirectories(Options), Microsoft.Extensions.Logging.Abstractions.NullLogger<RecordStore>.Instance).Write(record with { StopCause = "its liveness probe failed: x" });
        agent = NewAgent();
        var status = await agent.UntilAsync("web", status => status.Containers[0] is { RestartCount: 1, State: ContainerState.Running });
        Assert.That(status.Containers[0].LastExit!.Message, Is.EqualTo("its liveness probe failed: x"));
    }

    [Test]
    public async Task A_hook_runs_before_the_signal_and_takes_its_time_of_the_grace_period()
    {
        runtime.Answers["main"] = action =>
        {
            time.Advance(TimeSpan.FromSeconds(12));
            return ActionAnswer.Failed($"{action}");
        };
        await agent.DesireAsync(1, Document(Container() with { Lifecycle = new Lifecycle { PreStop = new LifecycleHandler { Exec = new ExecAction { Command = ["/bin/drain"] } } } }));
        await agent.UntilAsync("web", status => Ready(status).Status == ConditionStatus.True);
        await agent.DisposeAsync();
        agent = NewAgent();
        await agent.DesireAsync(2, new NodeDocument { Node = "n1" });
        await agent.UntilGoneAsync("web");
        Assert.That(runtime.Calls.Where(call => call.StartsWith("ask", StringComparison.Ordinal) || call.StartsWith("stop", StringComparison.Ordinal)), Is.EqualTo(["ask web-uid1-main-0", "stop web-uid1-main-0"]));
        Assert.That(runtime.Graces, Is.EqualTo([TimeSpan.FromSeconds(18)]), "by an agent that never saw the template, and although the hook failed");
    }

    [TestCase(10, 20)]
    [TestCase(30, 2)]
    public async Task A_pause_before_the_signal_leaves_two_seconds_at_least(int seconds, int left)
    {
        await agent.DesireAsync(1, Document(Container() with { Lifecycle = new Lifecycle { PreStop = new LifecycleHandler { Sleep = new SleepAction { Seconds = seconds } } } }));
        await agent.UntilAsync("web", status => Ready(status).Status == ConditionStatus.True);
        await agent.Store.AcceptDesiredAsync(2, new NodeDocument { Node = "n1" }.ToBytes(), default);
        await agent.Reconciler.ReconcileAsync(default);
        while (await agent.StatusAsync("web") is not null)
        {
            Assert.That(runtime.Graces.Count, Is.LessThanOrEqualTo(1));
            time.Advance(TimeSpan.FromMilliseconds(500));
            await agent.Reconciler.ReconcileAsync(default);
            await Task.Delay(10);
        }

        Assert.That(runtime.Graces.Single(), Is.EqualTo(TimeSpan.FromSeconds(left)).Within(TimeSpan.FromSeconds(left == 2 ? 0 : 3)));
    }

    private NodeOptions Options => new() { DataDir = directory.Combine("data"), RunDir = directory.Combine("run") };

    private static Condition Ready(WorkloadInstanceStatus status) => status.Conditions.Single(condition => condition.Type == ConditionTypes.Ready);

    private static ContainerSpec Container() => new() { Name = "main", Image = "r.local/web:1" };

    private static NodeDocument Document(ContainerSpec container, RestartPolicy policy = RestartPolicy.Always) => new()
    {
        Node = "n1",
        Workloads = [new DesiredWorkload { Name = "web", Uid = "uid1", Generation = 1, Template = new PodSpec { Containers = [container], RestartPolicy = policy } }],
    };

    private async Task<WorkloadInstanceStatus> AdvanceUntilAsync(Func<WorkloadInstanceStatus, bool> satisfied) => await agent.UntilAsync("web", status =>
    {
        time.Advance(TimeSpan.FromMilliseconds(500));
        return satisfied(status);
    });

    private AgentUnderTest NewAgent() => new(Options, _ => runtime, new FakeImages(), time);
}
