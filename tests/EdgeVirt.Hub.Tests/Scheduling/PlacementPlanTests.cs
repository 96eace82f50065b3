using CsCheck;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Hub.Scheduling;

namespace EdgeVirt.Hub.Tests.Scheduling;

internal sealed class PlacementPlanTests
{
    private static readonly Dictionary<string, Placed> Nothing = [];

    private static readonly Gen<(List<FleetNode> Nodes, List<FleetWorkload> Workloads)> Fleet = Gen.Select(
        Gen.Select(Gen.Bool, Gen.Bool, Gen.Int[0, 1]).List[1, 12],
        Gen.Select(Gen.Int[-1, 6], Gen.Int[-1, 1]).List[1, 8],
        (nodes, workloads) => (
            nodes.Select((node, i) => Node($"n{i:00}", node.Item1, node.Item2 && node.Item1, $"z{node.Item3}")).ToList(),
            workloads.Select((one, i) => Workload($"w{i}", one.Item1 < 0 ? null : one.Item1, one.Item2 < 0 ? null : $"z{one.Item2}")).ToList()));

    [Test]
    public void Places_only_on_nodes_that_match_and_never_more_than_asked_for() => Fleet.Sample(fleet =>
    {
        var plan = PlacementPlan.Make(fleet.Workloads, fleet.Nodes, Nothing);
        return fleet.Workloads.All(workload =>
        {
            var possible = fleet.Nodes.Where(node => !node.Unschedulable && Labels.Match(workload.Spec.Placement?.NodeSelector, node.Labels)).ToList();
            var placed = plan[workload.Uid];
            return placed.All(name => possible.Any(node => node.Name == name)) &&
                placed.Distinct().Count() == placed.Count &&
                placed.Count == Math.Min(workload.Spec.Placement?.Replicas ?? int.MaxValue, possible.Count);
        });
    });

    [Test]
    public void Moves_nothing_when_nothing_changed_whatever_the_order_and_presence() => Fleet.Sample(fleet =>
    {
        var plan = PlacementPlan.Make(fleet.Workloads, fleet.Nodes, Nothing);
        fleet.Nodes.Reverse();
        fleet.Workloads.Reverse();
        var offline = fleet.Nodes.Select(node => node with { Online = !node.Online }).ToList();
        return Same(plan, PlacementPlan.Make(fleet.Workloads, fleet.Nodes, Nothing)) &&
            Same(plan, PlacementPlan.Make(fleet.Workloads, offline, Current(plan)));
    });

    [Test]
    public void Takes_nothing_from_nodes_that_stay_when_a_node_joins() => Fleet.Sample(fleet =>
    {
        var plan = PlacementPlan.Make(fleet.Workloads, fleet.Nodes, Nothing);
        var next = PlacementPlan.Make(fleet.Workloads, [.. fleet.Nodes, Node("a-new", true, false, "z0")], Current(plan));
        return plan.All(entry => entry.Value.All(next[entry.Key].Contains));
    });

    [Test]
    public void Replaces_only_what_ran_on_a_node_that_leaves() => Fleet.Sample(fleet =>
    {
        var plan = PlacementPlan.Make(fleet.Workloads, fleet.Nodes, Nothing);
        var gone = fleet.Nodes[0].Name;
        var next = PlacementPlan.Make(fleet.Workloads, fleet.Nodes[1..], Current(plan));
        return plan.All(entry =>
            entry.Value.Where(name => name != gone).All(next[entry.Key].Contains) &&
            next[entry.Key].Except(entry.Value).Count() <= (entry.Value.Contains(gone) ? 1 : 0));
    });

    [Test]
    public void Leaves_unschedulable_nodes_what_they_have()
    {
        var web = Workload("web", null, null);
        var plan = PlacementPlan.Make(
            [web], [Node("a", true, true, "z0"), Node("b", true, true, "z0")], Current(new() { [web.Uid] = ["a"] }));
        Assert.That(plan[web.Uid], Is.EqualTo(new[] { "a" }));
    }

    [Test]
    public void Prefers_online_nodes_then_those_with_less_to_do()
    {
        FleetNode[] nodes = [Node("a", false, false, "z0"), Node("b", true, false, "z0"), Node("c", true, false, "z0")];
        var busy = Workload("busy", 1, null);
        var fresh = Workload("fresh", 1, null);
        var plan = PlacementPlan.Make([busy, fresh], nodes, Current(new() { [busy.Uid] = ["b"] }));
        Assert.That(plan[fresh.Uid], Is.EqualTo(new[] { "c" }));
    }

    private static FleetNode Node(string name, bool online, bool unschedulable, string zone) =>
        new(name, new Dictionary<string, string> { ["zone"] = zone }, unschedulable, online);

    private static FleetWorkload Workload(string name, int? replicas, string? zone) => new(name, $"uid-{name}", 1, new WorkloadSpec
    {
        Template = new PodSpec { Containers = [new ContainerSpec { Name = "main", Image = "registry.local/web:1" }] },
        Placement = new Placement
        {
            Replicas = replicas,
            NodeSelector = zone is null ? null : new Dictionary<string, string> { ["zone"] = zone },
        },
    });

    private static Dictionary<string, Placed> Current(Dictionary<string, IReadOnlyList<string>> plan) =>
        plan.ToDictionary(entry => entry.Key, entry => new Placed(entry.Value.ToHashSet(), new HashSet<HostPort>()));

    private static bool Same(Dictionary<string, IReadOnlyList<string>> one, Dictionary<string, IReadOnlyList<string>> other) =>
        one.Count == other.Count && one.All(entry => entry.Value.SequenceEqual(other[entry.Key]));
}
