using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.Containers.Probes;

namespace EdgeVirt.Node.Tests.Containers.Sets;

/// <summary>Workloads that start after others of the same node.</summary>
internal sealed class StartOrderTests : SwitchFixture
{
    [Test]
    public async Task Nothing_of_a_workload_starts_before_what_it_waits_for_is_Ready_and_the_condition_names_that()
    {
        Runtime.Answers["main"] = _ => ActionAnswer.Failed("not yet");
        await DesireAsync(Probed("db", 1), After("web", 1, "db"));
        var status = await UntilReasonAsync("web", ReadyReasons.WaitingForWorkload);
        Assert.That(Ready(status).Message, Is.EqualTo("it starts as soon as workload 'db' is Ready"));
        Assert.That(status.Containers.Single().State, Is.EqualTo(ContainerState.Waiting));
        Assert.That(RunningVersions, Is.EqualTo(["db-1"]));
        Assert.That(Runtime.Sandboxes, Is.EqualTo(["db-uid1"]));
        Runtime.Answers.Clear();
        await PassTimeAsync(TimeSpan.FromSeconds(10));
        await UntilReadyAsync("web", 1);
        Assert.That(RunningVersions, Is.EqualTo(["db-1", "web-1"]));
    }

    [Test]
    public async Task Once_started_it_is_neither_stopped_nor_held_when_the_other_one_goes()
    {
        await SettleAsync(Workload("db", 1), After("web", 1, "db"));
        await DesireAsync(After("web", 1, "db"));
        await Agent.UntilGoneAsync("db");
        Runtime.End("web-uid1-main-0", 1);
        var status = await Agent.UntilAsync("web", status => status.Containers[0] is { RestartCount: 1, State: ContainerState.Running });
        Assert.That(Ready(status).Status, Is.EqualTo(ConditionStatus.True));
    }

    [Test]
    public async Task The_order_holds_again_after_a_boot_of_the_node_and_not_after_a_restart_of_the_agent()
    {
        await SettleAsync(Probed("db", 1), After("web", 1, "db"));
        Runtime.Answers["main"] = _ => ActionAnswer.Failed("not yet");
        await RestartAsync();
        await Agent.ReconcileAsync();
        Assert.That(Runtime.Calls, Has.None.StartWith("sandbox").And.None.StartWith("start"));
        Assert.That(RunningVersions, Is.EqualTo(["db-1", "web-1"]));

        await RestartAsync();
        Runtime.Reboot();
        await UntilReasonAsync("web", ReadyReasons.WaitingForWorkload);
        await UntilRunningAsync("db-1");
        Runtime.Answers.Clear();
        await PassTimeAsync(TimeSpan.FromSeconds(10));
        await UntilRunningAsync("db-1", "web-1");
    }

    [Test]
    public async Task Started_does_not_wait_for_probes_but_for_the_hook_after_the_start()
    {
        var hook = Runtime.Pending["main"] = new TaskCompletionSource<ActionAnswer>(TaskCreationOptions.RunContinuationsAsynchronously);
        var db = Probed("db", 1);
        var container = db.Template.Containers[0] with { Lifecycle = new Lifecycle { PostStart = new LifecycleHandler { Exec = new ExecAction { Command = ["/bin/warm"] } } } };
        await DesireAsync(db with { Template = db.Template with { Containers = [container] } }, After("web", 1, "db", StartCondition.Started));
        await Agent.UntilAsync("db", _ => Runtime.Calls.Contains("ask db-uid1-main-0"));
        await UntilReasonAsync("web", ReadyReasons.WaitingForWorkload);
        Runtime.Pending.Clear();
        Runtime.Answers["main"] = _ => ActionAnswer.Failed("not yet");
        hook.SetResult(ActionAnswer.Success);
        await UntilRunningAsync("db-1", "web-1");
        Assert.That(Ready((await Agent.StatusAsync("db"))!).Status, Is.EqualTo(ConditionStatus.False));
    }

    [Test]
    public async Task Completed_waits_for_success_and_holds_after_a_boot_without_another_run()
    {
        var job = Workload("job", 1);
        await DesireAsync(job with { Template = job.Template with { RestartPolicy = RestartPolicy.OnFailure } }, After("web", 1, "job", StartCondition.Completed));
        await UntilReasonAsync("web", ReadyReasons.WaitingForWorkload);
        await UntilRunningAsync("job-1");
        Runtime.End("job-uid1-main-0", 1);
        await UntilRunningAsync("job-1");
        await UntilReasonAsync("web", ReadyReasons.WaitingForWorkload);
        Runtime.End("job-uid1-main-1", 0);
        await UntilRunningAsync("web-1");
        await RestartAsync();
        Runtime.Reboot();
        await UntilRunningAsync("web-1");
        Assert.That(Runtime.Calls, Has.None.StartWith("start job"));
    }

    [Test]
    public async Task What_can_never_be_is_said_with_what_would_help()
    {
        await DesireAsync(Workload("db", 1), After("web", 1, "db", StartCondition.Completed), After("other", 1, "nowhere"), After("free", 1, "nowhere", optional: true));
        await UntilReadyAsync("free", 1);
        Assert.That(Ready(await UntilReasonAsync("web", ReadyReasons.WaitingForWorkload)).Message, Does.Contain("restartPolicy Always"));
        Assert.That(Ready(await UntilReasonAsync("other", ReadyReasons.WorkloadMissing)).Message, Does.Contain("'nowhere', which is not on this node"));
        await DesireAsync(Workload("nowhere", 1), After("other", 1, "nowhere"));
        await UntilRunningAsync("nowhere-1", "other-1");
    }

    [Test]
    public async Task A_circle_is_named_and_ends_when_one_is_changed()
    {
        await DesireAsync(After("a", 1, "b"), After("b", 1, "c"), After("c", 1, "a"));
        Assert.That(Ready(await UntilReasonAsync("a", ReadyReasons.StartCircle)).Message, Does.Contain("'a' after 'b' after 'c' after 'a'"));
        await UntilReasonAsync("b", ReadyReasons.StartCircle);
        Assert.That(RunningVersions, Is.Empty);
        await DesireAsync(After("a", 1, "b"), After("b", 1, "c"), Workload("c", 2) with { Template = Workload("c", 1).Template });
        await UntilRunningAsync("a-1", "b-1", "c-1");
    }

    [Test]
    public async Task Within_the_switch_of_a_set_the_next_version_waits_for_the_next_version()
    {
        await SettleAsync(Probed("db", 1, InSet()), After("web", 1, "db", strategy: InSet()));
        Runtime.Answers["main"] = _ => ActionAnswer.Failed("not yet");
        await DesireAsync(Probed("db", 2, InSet()), After("web", 2, "db", strategy: InSet()));
        await UntilReasonAsync("web", ReadyReasons.WaitingForWorkload);
        await UntilRunningAsync("db-2");
        Runtime.Answers.Clear();
        await PassTimeAsync(TimeSpan.FromSeconds(10));
        await UntilRunningAsync("db-2", "web-2");
    }

    [Test]
    public async Task A_set_whose_order_is_never_fulfilled_goes_back_in_order_too()
    {
        await SettleAsync(Workload("db", 1, InSet()), After("web", 1, "db", strategy: InSet()));
        Runtime.FailingVersions["db-2"] = "segmentation fault";
        await DesireAsync(Workload("db", 2, InSet()), After("web", 2, "db", strategy: InSet()));
        await UntilReasonAsync("web", ReadyReasons.WaitingForWorkload);
        await PassTimeAsync(Deadline);
        await UntilRunningAsync("db-1", "web-1");
    }

    [Test]
    public async Task A_next_version_alone_leaves_the_one_before_running_until_it_could_begin()
    {
        await SettleAsync(Workload("web", 1));
        await DesireAsync(After("web", 2, "db"));
        var status = await Agent.UntilAsync("web", status => Progress(status)?.Message?.Contains("'db', which is not on this node") == true);
        Assert.That(Ready(status).Status, Is.EqualTo(ConditionStatus.True));
        Assert.That(RunningVersions, Is.EqualTo(["web-1"]));
        await DesireAsync(Workload("db", 1), After("web", 2, "db"));
        await UntilRunningAsync("db-1", "web-2");
    }

    [Test]
    public async Task A_change_of_the_order_alone_restarts_nothing()
    {
        await SettleAsync(Workload("db", 1), Workload("web", 1));
        await DesireAsync(Workload("db", 1), After("web", 2, "db") with { Template = After("web", 1, "db").Template });
        await Agent.UntilAsync("web", status => status.ObservedGeneration == 2);
        Assert.That(Runtime.Calls, Has.None.StartWith("stop"));
    }

    private static DesiredWorkload After(string name, int version, string other, StartCondition condition = StartCondition.Ready, bool optional = false, UpdateStrategy? strategy = null)
    {
        var plain = Workload(name, version, strategy);
        return plain with { Template = plain.Template with { StartAfter = [new StartAfter { Workload = other, Condition = condition, Optional = optional }] } };
    }

    private static DesiredWorkload Probed(string name, int version, UpdateStrategy? strategy = null)
    {
        var plain = Workload(name, version, strategy);
        var probe = new Probe { TcpSocket = new TcpSocketAction { Port = 80 }, FailureThreshold = 1 };
        return plain with { Template = plain.Template with { Containers = [plain.Template.Containers[0] with { ReadinessProbe = probe }] } };
    }

    private Task<WorkloadInstanceStatus> UntilReasonAsync(string name, string reason) => Agent.UntilAsync(name, status => Ready(status).Reason == reason);

    private Task<WorkloadInstanceStatus> UntilRunningAsync(params string[] versions) => Agent.UntilAsync(versions[0][..^2], _ => RunningVersions.SequenceEqual(versions));
}
