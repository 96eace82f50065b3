using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.Containers;
using EdgeVirt.Node.Containers.Probes;

namespace EdgeVirt.Node.Tests.Containers.Sets;

/// <summary>Sets of workloads from one revision to the next.</summary>
internal sealed class SetSwitchTests : SwitchFixture
{
    [Test]
    public async Task Nothing_of_a_set_changes_before_all_of_it_is_on_the_node()
    {
        await SettleAsync(Workload("db", 1, InSet()), Workload("web", 1, InSet()));
        var arrives = Withhold("web", 2);
        await DesireAsync(Workload("db", 2, InSet()), Workload("web", 2, InSet()));
        var status = await UntilProgressAsync("db", ProgressingReasons.Staging);
        Assert.That(Progress(status)!.Message, Does.Contain("'web' of the same set"));
        Assert.That(Ready(status).Status, Is.EqualTo(ConditionStatus.True), "the version before serves");
        Assert.That(status.ObservedGeneration, Is.EqualTo(1));
        Assert.That(RunningVersions, Is.EqualTo(["db-1", "web-1"]));
        arrives.SetResult();
        await UntilReadyAsync("web", 2);
        await UntilReadyAsync("db", 2);
        Assert.That(RunningVersions, Is.EqualTo(["db-2", "web-2"]));
    }

    [Test]
    public async Task A_member_that_cannot_be_staged_is_named_on_the_others_and_cured_by_time()
    {
        await SettleAsync(Workload("db", 1, InSet()), Workload("web", 1, InSet()));
        RefuseImage("web", 2);
        await DesireAsync(Workload("db", 2, InSet()), Workload("web", 2, InSet()));
        var status = await UntilProgressAsync("db", ProgressingReasons.StagingFailed);
        Assert.That(Progress(status), Has.Property("Status").EqualTo(ConditionStatus.False).And.Property("Message").Contain("'web'").And.Property("Message").Contain("registry does not answer"));
        Assert.That(RunningVersions, Is.EqualTo(["db-1", "web-1"]));
        Images.Trouble.Clear();
        Time.Advance(TimeSpan.FromMinutes(6));
        await UntilReadyAsync("db", 2);
        await UntilReadyAsync("web", 2);
        Assert.That(RunningVersions, Is.EqualTo(["db-2", "web-2"]));
    }

    [Test]
    public async Task A_version_that_does_not_become_ready_takes_the_whole_set_back_and_says_why()
    {
        await SettleAsync(Workload("db", 1, InSet()), Workload("web", 1, InSet()));
        Runtime.FailingVersions["web-2"] = "exec format error";
        await DesireAsync(Workload("db", 2, InSet()), Workload("web", 2, InSet()));
        await Agent.UntilAsync("web", status => Ready(status).Reason == ReadyReasons.StartFailed);
        await UntilReadyAsync("db", 2);
        Assert.That(RunningVersions, Is.EqualTo(["db-2"]));
        await RestartAsync();
        // Until it has looked itself: what the one before reported is there at once.
        await Agent.ReconcileAsync();
        await UntilReadyAsync("db", 2);
        Images.Asked.Clear();
        await PassTimeAsync(Deadline);
        var status = await UntilProgressAsync("db", ProgressingReasons.RolledBack);
        await UntilReadyAsync("db", 1);
        status = await UntilReadyAsync("web", 1);
        Assert.That(RunningVersions, Is.EqualTo(["db-1", "web-1"]));
        Assert.That(Progress(status)!.Message, Does.Contain("'web' generation 2 was not Ready within 300 s").And.Contain("exec format error"));
        Assert.That(Images.Asked, Is.EquivalentTo(["r.local/db-1:latest@sha256:db-1", "r.local/web-1:latest@sha256:web-1"]), "a tag may lead elsewhere by now");
    }

    [Test]
    public async Task What_was_rolled_back_is_not_tried_again_by_the_next_agent_and_another_version_is()
    {
        await SettleAsync(Workload("web", 1));
        Runtime.FailingVersions["web-2"] = "no";
        await DesireAsync(Workload("web", 2));
        await Agent.UntilAsync("web", status => Ready(status).Reason == ReadyReasons.StartFailed);
        await PassTimeAsync(Deadline);
        await UntilReadyAsync("web", 1);
        Runtime.FailingVersions.Clear();
        await RestartAsync();
        await Agent.ReconcileAsync();
        Assert.That(RunningVersions, Is.EqualTo(["web-1"]));
        Assert.That(Runtime.Calls, Is.Empty);
        Assert.That(Progress((await Agent.StatusAsync("web"))!)!.Reason, Is.EqualTo(ProgressingReasons.RolledBack));
        await SettleAsync(Workload("web", 3));
        Assert.That(RunningVersions, Is.EqualTo(["web-3"]));
    }

    [Test]
    public async Task The_hub_may_go_back_by_itself_and_forward_again()
    {
        await SettleAsync(Workload("web", 1));
        Runtime.FailingVersions["web-2"] = "no";
        await DesireAsync(Workload("web", 2));
        await Agent.UntilAsync("web", status => Ready(status).Reason == ReadyReasons.StartFailed);
        await SettleAsync(Workload("web", 1) with { Generation = 3 });
        Assert.That(RunningVersions, Is.EqualTo(["web-1"]));
        Runtime.FailingVersions.Clear();
        await SettleAsync(Workload("web", 2) with { Generation = 4 });
        Assert.That(RunningVersions, Is.EqualTo(["web-2"]));
    }

    [Test]
    public async Task A_restart_of_the_agent_in_the_middle_of_a_switch_does_not_turn_it_round()
    {
        await SettleAsync(Workload("web", 1));
        await DesireAsync(Workload("web", 2));
        await UntilProgressAsync("web", ProgressingReasons.Switching);
        await UntilReadyAsync("web", 2);
        await RestartAsync();
        await Agent.ReconcileAsync();
        Assert.That(Runtime.Calls, Is.Empty);
        await PassTimeAsync(MinReady);
        await Agent.UntilAsync("web", status => Progress(status) is null);
        Assert.That(RunningVersions, Is.EqualTo(["web-2"]));
    }

    [Test]
    public async Task A_version_that_falls_over_soon_after_it_was_ready_has_not_proved_itself()
    {
        await SettleAsync(Workload("web", 1));
        await DesireAsync(Workload("web", 2));
        await UntilReadyAsync("web", 2);
        for (var attempt = 0; attempt < 20 && Progress((await Agent.StatusAsync("web"))!)?.Reason != ProgressingReasons.RolledBack; attempt++)
        {
            Runtime.End($"web-uid1-main-{attempt}", 1);
            await Agent.ReconcileAsync();
            Time.Advance(RestartBackoff.DelayAfter(attempt));
            await Agent.UntilAsync("web", status => status.Containers[0].RestartCount > attempt || status.ObservedGeneration == 1);
        }

        await UntilProgressAsync("web", ProgressingReasons.RolledBack);
        await UntilReadyAsync("web", 1);
        Assert.That(RunningVersions, Is.EqualTo(["web-1"]));
    }

    [Test]
    public async Task A_job_that_failed_for_good_is_rolled_back_at_once()
    {
        static DesiredWorkload Job(int version) => Workload("job", version) with { Template = Workload("job", version).Template with { RestartPolicy = RestartPolicy.Never } };
        await SettleAsync(Job(1));
        await DesireAsync(Job(2));
        await UntilReadyAsync("job", 2);
        Runtime.End("job-uid1-main-0", 3);
        var status = await UntilProgressAsync("job", ProgressingReasons.RolledBack);
        Assert.That(Progress(status)!.Message, Does.Contain("'job' generation 2 failed").And.Contain("exit code 3"));
    }

    [Test]
    public async Task Without_rollback_or_without_a_version_before_it_stays_and_is_tried_on()
    {
        var stays = new UpdateStrategy { Rollback = RollbackPolicy.Never };
        await SettleAsync(Workload("web", 1, stays));
        Runtime.FailingVersions["web-2"] = "no";
        Runtime.FailingVersions["new-1"] = "no";
        await DesireAsync(Workload("web", 2, stays), Workload("new", 1));
        await Agent.UntilAsync("web", status => Ready(status).Reason == ReadyReasons.StartFailed);
        await Agent.UntilAsync("new", status => Ready(status).Reason == ReadyReasons.StartFailed);
        await PassTimeAsync(Deadline * 2);
        Runtime.FailingVersions.Clear();
        Time.Advance(TimeSpan.FromMinutes(6));
        await UntilReadyAsync("web", 2);
        await Agent.UntilAsync("new", status => Ready(status).Status == ConditionStatus.True);
    }

    [Test]
    public async Task Members_that_roll_are_switched_one_after_the_other()
    {
        var rolls = InSet(UpdateStrategyType.RollingUpdate);
        var probe = new Probe { TcpSocket = new TcpSocketAction { Port = 80 }, PeriodSeconds = 1 };
        DesiredWorkload Probed(string name, int version) =>
            Workload(name, version, rolls) is var plain ? plain with { Template = plain.Template with { Containers = [plain.Template.Containers[0] with { ReadinessProbe = probe }] } } : null!;
        await DesireAsync(Probed("a", 1), Probed("b", 1));
        await Agent.UntilAsync("a", status => Ready(status).Status == ConditionStatus.True);
        await Agent.UntilAsync("b", status => Ready(status).Status == ConditionStatus.True);
        await PassTimeAsync(MinReady);
        await Agent.UntilAsync("b", status => Progress(status) is null);
        Runtime.Answers["main"] = _ => ActionAnswer.Failed("not yet");
        await DesireAsync(Probed("a", 2), Probed("b", 2));
        await Agent.UntilAsync("a", status => status.ObservedGeneration == 2 && Ready(status).Status == ConditionStatus.False);
        await Agent.ReconcileAsync();
        Assert.That(RunningVersions, Is.EqualTo(["a-2", "b-1"]));
        Runtime.Answers.Clear();
        Time.Advance(TimeSpan.FromSeconds(2));
        await UntilReadyAsync("b", 2);
        Assert.That(RunningVersions, Is.EqualTo(["a-2", "b-2"]));
    }

    [Test]
    public async Task A_member_that_was_taken_out_runs_until_the_switch_and_comes_back_with_the_set()
    {
        await SettleAsync(Workload("old", 1, InSet()), Workload("web", 1, InSet()));
        var arrives = Withhold("web", 2);
        await DesireAsync(Workload("new", 2, InSet()), Workload("web", 2, InSet()));
        await UntilProgressAsync("web", ProgressingReasons.Staging);
        Assert.That(RunningVersions, Is.EqualTo(["old-1", "web-1"]));
        Runtime.FailingVersions["web-2"] = "no";
        arrives.SetResult();
        await Agent.UntilGoneAsync("old");
        await Agent.UntilAsync("new", status => Ready(status).Status == ConditionStatus.True);
        await PassTimeAsync(Deadline);
        await Agent.UntilAsync("old", status => Ready(status).Status == ConditionStatus.True);
        await Agent.UntilGoneAsync("new");
        await UntilReadyAsync("web", 1);
        Assert.That(RunningVersions, Is.EqualTo(["old-1", "web-1"]));
    }

    [Test]
    public async Task A_resource_that_was_made_anew_has_nothing_to_go_back_to()
    {
        await SettleAsync(Workload("web", 1));
        Runtime.FailingVersions["web-2"] = "no";
        await DesireAsync(Workload("web", 2) with { Uid = "uid2" });
        await Agent.UntilAsync("web", status => Ready(status).Reason == ReadyReasons.StartFailed);
        await PassTimeAsync(Deadline);
        Assert.That(Progress((await Agent.StatusAsync("web"))!), Is.Null);
        Assert.That(RunningVersions, Is.Empty);
    }

    [Test]
    public async Task What_is_remembered_goes_with_the_set()
    {
        await SettleAsync(Workload("web", 1));
        await DesireAsync();
        await Agent.UntilGoneAsync("web");
        await Agent.ReconcileAsync();
        Assert.That(await Agent.Store.ReadSetsAsync(default), Is.Empty);
        Assert.That(Directory.GetFiles(Folder.Combine("data", "state", "sets")), Is.Empty);
    }

    [Test]
    public async Task Damage_to_what_is_remembered_costs_the_way_back_and_nothing_else()
    {
        await SettleAsync(Workload("web", 1));
        var file = Directory.GetFiles(Folder.Combine("data", "state", "sets")).Single();
        var bytes = File.ReadAllBytes(file);
        bytes[^1] ^= 1;
        File.WriteAllBytes(file, bytes);
        await RestartAsync();
        await Agent.UntilAsync("web", status => Ready(status).Status == ConditionStatus.True);
        Assert.That(File.Exists(file), Is.False, "it lies in quarantine");
        Assert.That(Runtime.Calls, Is.Empty);
        await SettleAsync(Workload("web", 2));
        Assert.That(RunningVersions, Is.EqualTo(["web-2"]));
    }
}
