using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.Containers;

namespace EdgeVirt.Node.Tests.Containers;

internal sealed class WorkloadPlanTests
{
    private static readonly DateTimeOffset Now = new(2026, 1, 1, 12, 0, 0, TimeSpan.Zero);

    private static readonly WorkloadTarget Target = TargetOf(RestartPolicy.Always);

    [Test]
    public void Begins_with_the_sandbox()
        => Assert.That(Steps(Target, new WorkloadView(null, false, [])), Is.EqualTo([new WorkloadStep.CreateSandbox()]));

    [Test]
    public void Then_starts_every_container() => Assert.That(
        Steps(Target, new WorkloadView(Sandbox(), true, [])),
        Is.EqualTo([new WorkloadStep.Start("a", 0, 0), new WorkloadStep.Start("b", 0, 0)]));

    [Test]
    public void Rests_when_all_run() =>
        Assert.That(WorkloadPlan.Make(Target, View(Run("a"), Run("b")), Now), Is.EqualTo(new WorkloadPlan([], null)).Using<WorkloadPlan>((x, y) => x.Steps.Count == y.Steps.Count && x.Due == y.Due));

    [Test]
    public void Starts_again_at_once_after_the_first_end()
    {
        var ended = Ended("a", 0, failures: 0, code: 1);
        Assert.That(Steps(Target, View(ended, Run("b"))), Is.EqualTo([new WorkloadStep.Retire(ended), (WorkloadStep)new WorkloadStep.Start("a", 1, 1)]));
    }

    [Test]
    public void Waits_before_a_later_restart_and_says_until_when()
    {
        var ended = Ended("a", 5, failures: 11, code: 1) with { Retired = true };
        var plan = WorkloadPlan.Make(Target, View(ended, Run("b")), Now);
        Assert.That(plan.Steps, Is.Empty);
        Assert.That(plan.Due, Is.EqualTo(ended.Exit!.FinishedAt + RestartBackoff.DelayAfter(11)));
        Assert.That(Steps(Target, View(ended, Run("b")), plan.Due!.Value), Is.EqualTo([new WorkloadStep.Start("a", 6, 12)]));
    }

    [TestCase(RestartPolicy.Always, 0, true)]
    [TestCase(RestartPolicy.Always, 1, true)]
    [TestCase(RestartPolicy.OnFailure, 0, false)]
    [TestCase(RestartPolicy.OnFailure, 137, true)]
    [TestCase(RestartPolicy.Never, 0, false)]
    [TestCase(RestartPolicy.Never, 1, false)]
    public void Keeps_to_the_restart_policy(RestartPolicy policy, int code, bool restarts)
    {
        var target = TargetOf(policy);
        var ended = Ended("a", 0, 0, code) with { Retired = true, Hash = target.Hash };
        var view = new WorkloadView(Sandbox() with { Hash = target.Hash }, true, [ended, Run("b") with { Hash = target.Hash }]);
        Assert.That(Steps(target, view).OfType<WorkloadStep.Start>().Any(), Is.EqualTo(restarts));
    }

    [Test]
    public void A_removed_workload_is_stopped_then_freed_then_its_sandbox_with_volumes()
    {
        var (running, ended) = (Run("a"), Ended("b", 0, 0, 0));
        Assert.That(Steps(null, View(running, ended)), Is.EqualTo([new WorkloadStep.Stop(running)]));
        Assert.That(Steps(null, View(ended)), Is.EqualTo([new WorkloadStep.Remove(ended)]));
        Assert.That(Steps(null, View()), Is.EqualTo([new WorkloadStep.RemoveSandbox(Sandbox(), true)]));
        Assert.That(Steps(null, new WorkloadView(null, false, [])), Is.Empty);
    }

    [Test]
    public void A_changed_template_replaces_everything_but_the_volumes()
    {
        var old = Run("a") with { Hash = "old" };
        var sandbox = Sandbox() with { Hash = "old" };
        Assert.That(Steps(Target, new WorkloadView(sandbox, true, [old])), Is.EqualTo([new WorkloadStep.Stop(old)]));
        Assert.That(Steps(Target, new WorkloadView(sandbox, true, [])), Is.EqualTo([new WorkloadStep.RemoveSandbox(sandbox, false)]));
    }

    [Test]
    public void A_workload_of_the_same_name_but_another_uid_inherits_nothing()
    {
        var sandbox = Sandbox() with { Uid = "other" };
        Assert.That(Steps(Target, new WorkloadView(sandbox, true, [])), Is.EqualTo([new WorkloadStep.RemoveSandbox(sandbox, true)]));
    }

    [Test]
    public void After_a_reboot_the_sandbox_is_made_anew_and_runs_are_counted_on()
    {
        var lost = Ended("a", 3, 1, 255);
        Assert.That(Steps(Target, new WorkloadView(Sandbox(), false, [lost])), Is.EqualTo([new WorkloadStep.CreateSandbox()]));
        Assert.That(Steps(Target, new WorkloadView(Sandbox(), true, [lost]), Now.AddHours(1)).OfType<WorkloadStep.Start>(), Does.Contain(new WorkloadStep.Start("a", 4, 2)));
    }

    [Test]
    public void Keeps_one_ended_run_for_its_log()
    {
        var (first, second, third) = (Ended("a", 0, 0, 1) with { Retired = true }, Ended("a", 1, 1, 1) with { Retired = true }, Run("a") with { Attempt = 2 });
        Assert.That(Steps(Target, View(first, second, third, Run("b"))), Is.EqualTo([new WorkloadStep.Remove(first)]));
    }

    [Test]
    public void The_delay_doubles_from_nothing_to_five_minutes()
    {
        Assert.That(RestartBackoff.DelayAfter(0), Is.EqualTo(TimeSpan.Zero));
        Assert.That(RestartBackoff.DelayAfter(1), Is.EqualTo(TimeSpan.FromMilliseconds(10)));
        Assert.That(RestartBackoff.DelayAfter(4), Is.EqualTo(TimeSpan.FromMilliseconds(80)));
        Assert.That(RestartBackoff.DelayAfter(16), Is.EqualTo(TimeSpan.FromMinutes(5)));
        Assert.That(RestartBackoff.DelayAfter(100_000), Is.EqualTo(TimeSpan.FromMinutes(5)));
    }

    [Test]
    public void A_long_run_makes_the_delay_start_over()
    {
        var ended = Ended("a", 9, failures: 9, code: 1) with { StartedAt = Now - TimeSpan.FromHours(2) };
        Assert.That(RestartBackoff.FailuresAfter(ended), Is.EqualTo(1));
        Assert.That(RestartBackoff.DueAfter(ended, Now), Is.LessThanOrEqualTo(Now));
    }

    [Test]
    public void A_clock_that_was_set_back_delays_a_restart_by_one_delay_at_most()
    {
        var ended = Ended("a", 4, failures: 4, code: 1);
        var early = Now - TimeSpan.FromDays(365);
        Assert.That(RestartBackoff.DueAfter(ended, early), Is.EqualTo(early + RestartBackoff.DelayAfter(4)));
    }

    [Test]
    public void The_hash_follows_template_and_contents_and_nothing_else()
    {
        var one = TargetOf(RestartPolicy.Always, "v1");
        Assert.That(TargetOf(RestartPolicy.Always, "v1").Hash, Is.EqualTo(one.Hash));
        Assert.That(TargetOf(RestartPolicy.Always, "v2").Hash, Is.Not.EqualTo(one.Hash));
        Assert.That(TargetOf(RestartPolicy.Never, "v1").Hash, Is.Not.EqualTo(one.Hash));
    }

    private static IReadOnlyList<WorkloadStep> Steps(WorkloadTarget? target, WorkloadView view, DateTimeOffset? now = null) =>
        WorkloadPlan.Make(target, view, now ?? Now).Steps;

    private static WorkloadView View(params ContainerRecord[] containers) => new(Sandbox(), true, containers);

    private static SandboxRecord Sandbox() => new() { Id = SandboxRecord.IdOf(Target.Workload.Name, Target.Workload.Uid), Workload = "web", Uid = "uid", Hash = Target.Hash };

    private static ContainerRecord Run(string name) => new()
    {
        Id = $"web-uid-{name}-0", SandboxId = SandboxRecord.IdOf(Target.Workload.Name, Target.Workload.Uid), Workload = "web", Uid = "uid", Container = name, Attempt = 0, Hash = Target.Hash,
        ImageDigest = "sha256:0", StartedAt = Now - TimeSpan.FromSeconds(5),
    };

    private static ContainerRecord Ended(string name, int attempt, int failures, int code) => Run(name) with
    {
        Attempt = attempt,
        Failures = failures,
        Exit = new ContainerExit { Code = code, Reason = code == 0 ? "Completed" : "Error", FinishedAt = Now },
    };

    private static WorkloadTarget TargetOf(RestartPolicy policy, string value = "v")
    {
        var workload = new DesiredWorkload
        {
            Name = "web",
            Uid = "uid",
            Generation = 1,
            Template = new PodSpec
            {
                Containers =
                [
                    new ContainerSpec
                    {
                        Name = "a", Image = "r.local/a:1",
                        Env = [new EnvVar { Name = "X", ValueFrom = new EnvVarSource { ConfigKeyRef = new KeyRef { Name = "c", Key = "k" } } }],
                    },
                    new ContainerSpec { Name = "b", Image = "r.local/b:1" },
                ],
                RestartPolicy = policy,
            },
        };
        var document = new NodeDocument { Node = "n", Workloads = [workload], Configs = [new DesiredConfig { Name = "c", Data = new Dictionary<string, string> { ["k"] = value } }] };
        return WorkloadTarget.Of("n", workload, new References(document), null);
    }
}
