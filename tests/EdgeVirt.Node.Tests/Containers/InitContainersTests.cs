using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.Containers;

namespace EdgeVirt.Node.Tests.Containers;

/// <summary>When init containers run, and when the others follow.</summary>
internal sealed class InitContainersTests
{
    private static readonly DateTimeOffset Now = new(2026, 1, 1, 12, 0, 0, TimeSpan.Zero);

    [Test]
    public void The_first_one_begins_alone() => Assert.That(Plan(RestartPolicy.Always).Steps, Is.EqualTo([new WorkloadStep.Start("one", 0, 0)]));

    [Test]
    public void Each_waits_for_the_one_before()
    {
        Assert.That(Plan(RestartPolicy.Always, Run("one")).Steps, Is.Empty);
        Assert.That(Plan(RestartPolicy.Always, Ended("one", 0)).Steps, Is.EqualTo([new WorkloadStep.Start("two", 0, 0)]));
        Assert.That(Plan(RestartPolicy.Always, Ended("one", 0), Run("two")).Steps, Is.Empty);
    }

    [Test]
    public void The_others_follow_the_last_one_together() => Assert.That(
        Plan(RestartPolicy.Always, Ended("one", 0), Ended("two", 0)).Steps, Is.EqualTo([new WorkloadStep.Start("a", 0, 0), new WorkloadStep.Start("b", 0, 0)]));

    [Test]
    public void One_that_just_ended_is_freed_as_the_next_begins()
    {
        var ended = Ended("one", 0) with { Retired = false, Hash = TargetOf(RestartPolicy.Never).Hash };
        Assert.That(Plan(RestartPolicy.Never, ended).Steps, Is.EqualTo([new WorkloadStep.Retire(ended), (WorkloadStep)new WorkloadStep.Start("two", 0, 0)]));
    }

    [TestCase(RestartPolicy.Always, true)]
    [TestCase(RestartPolicy.OnFailure, true)]
    [TestCase(RestartPolicy.Never, false)]
    public void One_that_failed_is_tried_again_unless_the_policy_is_never(RestartPolicy policy, bool again)
    {
        var plan = Plan(policy, Ended("one", 1));
        Assert.That(plan.Steps, Is.EqualTo(again ? [new WorkloadStep.Start("one", 1, 1)] : Array.Empty<WorkloadStep>()));
        Assert.That(plan.Due, Is.Null);
    }

    [Test]
    public void Failing_again_and_again_it_waits_longer()
    {
        var failed = Ended("one", 1) with { Failures = 12, Attempt = 12 };
        Assert.That(Plan(RestartPolicy.Always, failed), Has.Property("Steps").Empty.And.Property("Due").EqualTo(Now + RestartBackoff.DelayAfter(12)));
    }

    [TestCase(RestartPolicy.Always)]
    [TestCase(RestartPolicy.OnFailure)]
    public void A_container_that_restarts_does_not_run_them_again(RestartPolicy policy) => Assert.That(
        Plan(policy, Ended("one", 0), Ended("two", 0), Run("a"), Ended("b", 1)).Steps, Is.EqualTo([new WorkloadStep.Start("b", 1, 1)]));

    [Test]
    public void In_a_sandbox_made_anew_they_all_run_again()
    {
        ContainerRecord[] before = [Ended("one", 0), Ended("two", 0), Ended("a", 255), Ended("b", 255)];
        Assert.That(Plan(RestartPolicy.Always, 1, before).Steps, Is.EqualTo([new WorkloadStep.Start("one", 1, 0)]));
        ContainerRecord[] half = [Ended("one", 0), Ended("one", 0) with { Attempt = 1, SandboxAttempt = 1 }, .. before[1..]];
        Assert.That(Plan(RestartPolicy.Always, 1, half).Steps, Is.EqualTo([new WorkloadStep.Start("two", 1, 0)]));
    }

    [Test]
    public void A_job_that_is_done_is_done_also_after_a_reboot() => Assert.That(
        Plan(RestartPolicy.OnFailure, 1, Ended("one", 0), Ended("two", 0), Ended("a", 0), Ended("b", 0)).Steps, Is.Empty);

    private static WorkloadPlan Plan(RestartPolicy policy, params ContainerRecord[] runs) => Plan(policy, 0, runs);

    private static WorkloadPlan Plan(RestartPolicy policy, int sandboxAttempt, params ContainerRecord[] runs)
    {
        var target = TargetOf(policy);
        var sandbox = new SandboxRecord { Id = SandboxRecord.IdOf(target.Workload.Name, target.Workload.Uid), Workload = "web", Uid = "uid", Hash = target.Hash, Attempt = sandboxAttempt };
        return WorkloadPlan.Make(target, new WorkloadView(sandbox, true, [.. runs.Select(run => run with { Hash = target.Hash })]), Now);
    }

    private static ContainerRecord Run(string name) => new()
    {
        Id = $"web-uid-{name}-0", SandboxId = "web-uid", Workload = "web", Uid = "uid", Container = name, Attempt = 0, Hash = "",
        ImageDigest = "sha256:0", StartedAt = Now - TimeSpan.FromSeconds(5),
    };

    private static ContainerRecord Ended(string name, int code) =>
        Run(name) with { Retired = true, Exit = new ContainerExit { Code = code, Reason = code == 0 ? "Completed" : "Error", FinishedAt = Now } };

    private static WorkloadTarget TargetOf(RestartPolicy policy)
    {
        static ContainerSpec Container(string name) => new() { Name = name, Image = $"r.local/{name}:1" };
        var template = new PodSpec { InitContainers = [Container("one"), Container("two")], Containers = [Container("a"), Container("b")], RestartPolicy = policy };
        return WorkloadTarget.Of("n", new DesiredWorkload { Name = "web", Uid = "uid", Generation = 1, Template = template }, new References(new NodeDocument { Node = "n" }), null);
    }
}
