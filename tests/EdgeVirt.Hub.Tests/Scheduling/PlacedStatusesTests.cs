using EdgeVirt.Contracts.Resources;
using EdgeVirt.Hub.Scheduling;

namespace EdgeVirt.Hub.Tests.Scheduling;

/// <summary>One status of what nodes report.</summary>
internal sealed class PlacedStatusesTests
{
    private static readonly DateTimeOffset Now = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    [Test]
    public void A_node_that_runs_the_version_before_says_why()
    {
        var status = Of(
            Instance("n1", 2, Condition(ConditionTypes.Ready, ConditionStatus.True, ReadyReasons.Ready)),
            Instance(
                "n2", 1,
                Condition(ConditionTypes.Ready, ConditionStatus.True, ReadyReasons.Ready),
                Condition(ConditionTypes.Progressing, ConditionStatus.False, ProgressingReasons.RolledBack, "'web' generation 2 failed")));
        Assert.That(status.ReadyInstances, Is.EqualTo(1));
        var ready = status.Conditions[0];
        Assert.That(ready, Has.Property("Status").EqualTo(ConditionStatus.False).And.Property("Reason").EqualTo(ReadyReasons.RolledBack));
        Assert.That(ready.Message, Is.EqualTo("1 of 2 instances are ready; n2: 'web' generation 2 failed"));
        var progressing = status.Conditions.Single(condition => condition.Type == ConditionTypes.Progressing);
        Assert.That(progressing, Has.Property("Status").EqualTo(ConditionStatus.False).And.Property("Message").EqualTo("n2: 'web' generation 2 failed"));
    }

    [Test]
    public void What_one_node_cannot_enforce_is_said_before_what_the_others_can()
    {
        var ready = Condition(ConditionTypes.Ready, ConditionStatus.True, ReadyReasons.Ready);
        var status = Of(
            Instance("n1", 2, ready, Condition(ConditionTypes.LimitsEnforced, ConditionStatus.True, LimitsEnforcedReasons.Enforced)),
            Instance("n2", 2, ready, Condition(ConditionTypes.LimitsEnforced, ConditionStatus.False, LimitsEnforcedReasons.ControllerMissing, "cpu has no effect")));
        Assert.That(status.Conditions[0].Status, Is.EqualTo(ConditionStatus.True));
        Assert.That(status.Conditions[1], Has.Property("Status").EqualTo(ConditionStatus.False).And.Property("Message").EqualTo("n2: cpu has no effect"));
        Assert.That(status.Conditions, Has.Count.EqualTo(2), "nobody is on the way to another version");
    }

    [Test]
    public void System_calls_that_one_node_cannot_filter_are_said_of_the_whole()
    {
        var ready = Condition(ConditionTypes.Ready, ConditionStatus.True, ReadyReasons.Ready);
        var status = Of(Instance("n1", 2, ready), Instance("n2", 2, ready, Condition(ConditionTypes.SeccompEnforced, ConditionStatus.False, SeccompEnforcedReasons.SeccompMissing, "no filter")));
        Assert.That(status.Conditions.Single(condition => condition.Type == ConditionTypes.SeccompEnforced), Has.Property("Status").EqualTo(ConditionStatus.False).And.Property("Message").EqualTo("n2: no filter"));
    }

    private static WorkloadStatus Of(params WorkloadInstanceStatus[] instances)
    {
        var workload = new FleetWorkload(
            "web", "uid1", 2, new WorkloadSpec { Template = new PodSpec { Containers = [new ContainerSpec { Name = "main", Image = "r.local/web:1" }] } });
        var reports = instances.ToDictionary(instance => instance.Node, instance => new InstanceReport(workload.Key, "uid1", instance));
        var facts = new PlacementFacts(workload, [.. reports.Keys], reports, [], instances.Length, [], Obstacles.None);
        return (WorkloadStatus)PlacedStatuses.Of(facts, _ => true, previous: null, Now);
    }

    private static WorkloadInstanceStatus Instance(string node, long generation, params Condition[] conditions) =>
        new() { Node = node, ObservedGeneration = generation, Conditions = conditions };

    private static Condition Condition(string type, ConditionStatus status, string reason, string? message = null) =>
        new() { Type = type, Status = status, Reason = reason, Message = message };
}
