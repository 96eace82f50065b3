using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.Containers.Probes;
using EdgeVirt.Testing;
using Microsoft.Extensions.Time.Testing;

namespace EdgeVirt.Node.Tests.Containers;

/// <summary>What a postStart hook does to a workload, with a runtime that answers as told.</summary>
internal sealed class PostStartHooksTests
{
    private const string Main = "web-uid1-main-0";
    private static readonly LifecycleHandler Hook = new() { Exec = new ExecAction { Command = ["/bin/register"] } };

    private readonly FakeTimeProvider time = new(new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero));
    private TaskCompletionSource<ActionAnswer> answer = null!;
    private TempDirectory directory = null!;
    private FakeContainerRuntime runtime = null!;
    private AgentUnderTest agent = null!;

    [SetUp]
    public void SetUp()
    {
        directory = new TempDirectory();
        answer = new TaskCompletionSource<ActionAnswer>(TaskCreationOptions.RunContinuationsAsynchronously);
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
    public async Task Until_it_has_ended_the_container_is_not_Ready_and_nobody_probes()
    {
        runtime.Pending["main"] = answer;
        await agent.DesireAsync(1, Document(Container(Hook) with { ReadinessProbe = new Probe { TcpSocket = new TcpSocketAction { Port = 80 } } }));
        var status = await agent.UntilAsync("web", status => status.Containers[0].State == ContainerState.Running && Asked == 1);
        Assert.That(Ready(status), Has.Property("Reason").EqualTo(ReadyReasons.Starting).And.Property("Message").EqualTo("container 'main' waits for its postStart hook to end"));
        Assert.That(status.Containers[0].Ready, Is.False);
        time.Advance(TimeSpan.FromMinutes(1));
        await agent.ReconcileAsync();
        Assert.That(Asked, Is.EqualTo(1), "the hook alone");

        runtime.Pending.Clear();
        answer.SetResult(ActionAnswer.Success);
        await agent.UntilAsync("web", status => Advance() && Ready(status).Status == ConditionStatus.True);
        Assert.That(Asked, Is.GreaterThan(1), "the probe too");
        Assert.That(agent.Records.FindContainer(Main)!.PostStart, Is.Null);
    }

    [TestCase(RestartPolicy.Always, true)]
    [TestCase(RestartPolicy.OnFailure, true)]
    [TestCase(RestartPolicy.Never, false)]
    public async Task When_it_fails_the_container_is_stopped_and_the_policy_decides_what_follows(RestartPolicy policy, bool again)
    {
        var failures = 0;
        runtime.Answers["main"] = _ => failures++ == 0 ? ActionAnswer.Failed("exit code 3: no such service") : ActionAnswer.Success;
        await agent.DesireAsync(1, Document(policy, Container(Hook)));
        var status = await agent.UntilAsync("web", status => Advance() && (again ? Ready(status).Status == ConditionStatus.True : Ready(status).Reason == ReadyReasons.Failed));
        Assert.That(runtime.Calls, Does.Contain($"stop {Main}"));
        Assert.That(status.Containers[0].LastExit, Has.Property("Reason").EqualTo("FailedPostStartHook").And.Property("Message").EqualTo("its postStart hook failed: exit code 3: no such service"));
        Assert.That(status.Containers[0].RestartCount, Is.EqualTo(again ? 1 : 0));
        Assert.That(Asked, Is.EqualTo(again ? 2 : 1), "once for each run");
    }

    [Test]
    public async Task While_the_restart_is_waited_for_the_condition_says_what_the_hook_said()
    {
        runtime.Answers["main"] = _ => ActionAnswer.Failed("exit code 3: no such service");
        await agent.DesireAsync(1, Document(Container(Hook)));
        var status = await agent.UntilAsync("web", status => Ready(status).Reason == ReadyReasons.FailedPostStartHook && status.Containers[0].State == ContainerState.Waiting);
        Assert.That(Ready(status).Message, Does.Contain("container 'main' was stopped: its postStart hook failed: exit code 3: no such service"));
    }

    [Test]
    public async Task One_that_an_agent_did_not_see_end_begins_anew_with_the_next_agent_and_one_that_ended_does_not()
    {
        runtime.Pending["main"] = answer;
        await agent.DesireAsync(1, Document(Container(Hook)));
        await agent.UntilAsync("web", _ => Asked == 1);
        await agent.DisposeAsync();
        agent = NewAgent();
        await agent.UntilAsync("web", _ => Asked == 2);
        Assert.That(Ready((await agent.StatusAsync("web"))!).Status, Is.EqualTo(ConditionStatus.False));

        answer.SetResult(ActionAnswer.Success);
        await agent.UntilAsync("web", status => Ready(status).Status == ConditionStatus.True);
        await agent.DisposeAsync();
        agent = NewAgent();
        await agent.ReconcileAsync();
        Assert.That(Asked, Is.EqualTo(2));
        Assert.That(runtime.Running, Is.EqualTo([Main]), "adopted throughout");
    }

    [Test]
    public async Task One_that_never_ends_keeps_nobody_from_removing_the_workload()
    {
        runtime.Pending["main"] = answer;
        await agent.DesireAsync(1, Document(Container(Hook)));
        await agent.UntilAsync("web", _ => Asked == 1);
        await agent.DesireAsync(2, new NodeDocument { Node = "n1" });
        await agent.UntilGoneAsync("web");
        Assert.That(runtime.Running, Is.Empty);
    }

    [Test]
    public async Task A_pause_makes_the_container_Ready_after_its_time()
    {
        await agent.DesireAsync(1, Document(Container(new LifecycleHandler { Sleep = new SleepAction { Seconds = 5 } })));
        await agent.UntilAsync("web", status => status.Containers[0].State == ContainerState.Running);
        time.Advance(TimeSpan.FromSeconds(4));
        await agent.ReconcileAsync();
        Assert.That(Ready((await agent.StatusAsync("web"))!).Reason, Is.EqualTo(ReadyReasons.Starting));
        await agent.UntilAsync("web", status => Advance() && Ready(status).Status == ConditionStatus.True);
    }

    [Test]
    public async Task Containers_later_in_the_list_wait_for_the_hooks_before_them()
    {
        runtime.Pending["main"] = answer;
        await agent.DesireAsync(1, Document(Container(null, "before"), Container(Hook), Container(null, "after")));
        await agent.UntilAsync("web", _ => Asked == 1);
        await agent.ReconcileAsync();
        Assert.That(runtime.Running, Is.EqualTo(["web-uid1-before-0", Main]));

        answer.SetResult(ActionAnswer.Success);
        await agent.UntilAsync("web", status => Ready(status).Status == ConditionStatus.True);
        Assert.That(runtime.Running, Does.Contain("web-uid1-after-0"));
        runtime.Pending["main"] = new TaskCompletionSource<ActionAnswer>();
        runtime.End(Main, 1);
        runtime.End("web-uid1-after-0", 1);
        await agent.UntilAsync("web", status => status.Containers.Skip(1).All(container => container is { State: ContainerState.Running, RestartCount: 1 }));
        Assert.That(runtime.Running, Does.Contain("web-uid1-after-1"), "a restart waits for nobody");
    }

    private int Asked => runtime.Calls.Count(call => call.StartsWith("ask", StringComparison.Ordinal));

    private NodeOptions Options => new() { DataDir = directory.Combine("data"), RunDir = directory.Combine("run") };

    private static Condition Ready(WorkloadInstanceStatus status) => status.Conditions.Single(condition => condition.Type == ConditionTypes.Ready);

    private static ContainerSpec Container(LifecycleHandler? hook, string name = "main") =>
        new() { Name = name, Image = "r.local/web:1", Lifecycle = new Lifecycle { PostStart = hook } };

    private static NodeDocument Document(params ContainerSpec[] containers) => Document(RestartPolicy.Always, containers);

    private static NodeDocument Document(RestartPolicy policy, params ContainerSpec[] containers) => new()
    {
        Node = "n1",
        Workloads = [new DesiredWorkload { Name = "web", Uid = "uid1", Generation = 1, Template = new PodSpec { Containers = containers, RestartPolicy = policy } }],
    };

    private bool Advance()
    {
        time.Advance(TimeSpan.FromMilliseconds(500));
        return true;
    }

    private AgentUnderTest NewAgent() => new(Options, _ => runtime, new FakeImages(), time);
}
