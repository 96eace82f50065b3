using System.Globalization;
using CsCheck;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Hub.Scheduling;

namespace EdgeVirt.Hub.Tests.Scheduling;

internal sealed class PlacementPortsTests
{
    private static readonly FleetNode[] Nodes = [.. "abc".Select(name => new FleetNode(name.ToString(), null, Unschedulable: false, Online: true))];

    // Name, node ports, replicas (* for every node), and what was published on which nodes before; the oldest first.
    private static readonly TestCaseData[] Table =
    [
        Case("A newcomer stays off a node whose port is taken", "new: b,c; old: a", "old 80 1 80@a", "new 80 *"),
        Case("Replicas go to nodes that are free", "new: b,c; old: a", "old 80 1 80@a", "new 80 2"),
        Case("Replicas stay short where no node is free", "new: b,c; old: a", "old 80 1 80@a", "new 80 3"),
        Case("Another protocol is another port", "new: a,b,c; old: a,b,c", "old 80 * 80@a,b,c", "new 80u *"),
        Case("Among newcomers the older one wins", "alpha: ; zeta: a,b,c", "zeta 80 *", "alpha 80 *"),
        Case("What is placed stays, though it is the younger one", "holder: a,b,c; older: ", "older 80 *", "holder 80 3 80@a,b,c"),
        Case("An edit moves who was edited, not the holder", "edited: b; holder: a", "edited 80 1 90@a", "holder 80 1 80@a"),
        Case("An edit takes it off the holder's node alone", "edited: b,c; holder: a", "edited 80 * 90@a,b,c", "holder 80 1 80@a"),
        Case("A holder that is edited keeps the port it had", "edited: b; holder: a", "edited 80 1 70@a", "holder 80+90 1 80@a"),
        Case("Two that swap their ports stay", "one: a; two: a", "one 80 1 90@a", "two 90 1 80@a"),
        Case("Two placed on one port from before: the older one stays", "one: a; two: b", "one 80 1 80@a", "two 80 1 80@a"),
        Case("A port that an edit gave up is free at once", "edited: a; new: a,b,c", "edited 90 1 80@a", "new 80 *"),
        Case("On different addresses it is different ports", "one: a,b,c; two: a,b,c", "one 127.0.0.1:80 *", "two 10.0.0.1:80 *"),
        Case("On every address it is none that is left", "all: a; one: b,c", "all 80 1 80@a", "one 127.0.0.1:80 *"),
        Case("On one address it is not on every", "all: b,c; one: a", "one 127.0.0.1:80 1 127.0.0.1:80@a", "all 80 *"),
        Case("Who has one address gets another beside it", "both: a,b,c; new: ", "both 127.0.0.1:80+10.0.0.1:80 * 127.0.0.1:80@a,b,c", "new 10.0.0.1:80 *"),
        Case("One replica fewer frees its port at once", "fewer: a; new: b,c", "fewer 80 1 80@a,b,c", "new 80 *"),
    ];

    private static readonly Gen<List<string>> Texts = Gen.Select(Gen.Int[80, 83], Gen.Int[80, 83], Gen.Int[0, 4])
        .List[1, 6]
        .Select(all => all.Select((one, i) => $"w{i} {one.Item1}{(one.Item2 == one.Item1 ? "" : $"+{one.Item2}")} {(one.Item3 == 0 ? "*" : one.Item3)}").ToList());

    [TestCaseSource(nameof(Table))]
    public void Gives_each_node_port_to_one_workload(string[] workloads, string expected)
    {
        var (fleet, current) = Read(workloads);
        var plan = PlacementPlan.Make(fleet, Nodes, current);
        Assert.That(Text(fleet, plan), Is.EqualTo(expected));
        Assert.That(Text(fleet, PlacementPlan.Make([.. fleet.Reverse()], [.. Nodes.Reverse()], Now(fleet, plan))), Is.EqualTo(expected), "nothing moves after that");
    }

    [Test]
    public void No_port_is_published_twice_and_nothing_moves_twice_whatever_is_edited() => Gen.Select(Texts, Texts).Sample((before, after) =>
    {
        var (first, _) = Read([.. before]);
        var (second, _) = Read([.. after]);
        var placed = PlacementPlan.Make(first, Nodes, Nothing());
        var edited = PlacementPlan.Make(second, Nodes, Now(first, placed));
        return IsSound(first, placed) && IsSound(second, edited)
            && Text(second, PlacementPlan.Make(second, Nodes, Now(second, edited))) == Text(second, edited)
            && second.All(workload => !first.Any(one => one.Uid == workload.Uid && one.HostPorts.SetEquals(workload.HostPorts))
                || edited[workload.Uid].Count == workload.Spec.Placement!.Replicas
                || placed[workload.Uid].All(edited[workload.Uid].Contains));
    });

    [Test]
    public void Names_who_has_the_port_where()
    {
        var (fleet, current) = Read("old 80 1 80@a", "other 90 1 90@b", "new 80+90 *", "content 70 1");
        var plan = PlacementPlan.Make(fleet, Nodes, current);
        var ports = NodePorts.Of(fleet, plan);
        Assert.That(
            PlacementPlan.TakenFrom(fleet[2], Nodes, plan, ports).Select(taken => $"{taken.Node} {taken.Port} {taken.Holder.Name}"),
            Is.EqualTo(new[] { "a 80/TCP old", "b 90/TCP other" }));
        Assert.That(PlacementPlan.TakenFrom(fleet[3], Nodes, plan, ports), Is.Empty, "it has the nodes that it asks for");
    }

    [Test]
    public void With_the_host_network_every_listed_port_is_the_nodes()
    {
        ContainerPort[] ports = [new() { Port = 80 }, new() { Port = 53, HostPort = 53, Protocol = PortProtocol.UDP }];
        var pod = new PodSpec { Containers = [new ContainerSpec { Name = "main", Image = "registry.local/web:1", Ports = ports }] };
        Assert.That(HostPort.Of(pod), Is.EquivalentTo(new[] { new HostPort(53, PortProtocol.UDP) }));
        Assert.That(
            HostPort.Of(pod with { HostNetwork = true }), Is.EquivalentTo(new[] { new HostPort(80, PortProtocol.TCP), new HostPort(53, PortProtocol.UDP) }));
    }

    [TestCase("80/TCP")]
    [TestCase("53/UDP")]
    [TestCase("127.0.0.1:80/TCP")]
    public void Ports_are_read_as_they_are_written(string text) => Assert.That(HostPort.Parse(text).ToString(), Is.EqualTo(text));

    private static TestCaseData Case(string name, string expected, params string[] workloads) =>
        new TestCaseData(workloads, expected).SetArgDisplayNames(name);

    private static bool IsSound(FleetWorkload[] fleet, Dictionary<string, IReadOnlyList<string>> plan) =>
        fleet.SelectMany(workload => plan[workload.Uid].SelectMany(node => workload.HostPorts.Select(port => (node, port)))).GroupBy(one => one).All(one => one.Count() == 1);

    private static Dictionary<string, Placed> Nothing() => [];

    private static Dictionary<string, Placed> Now(FleetWorkload[] fleet, Dictionary<string, IReadOnlyList<string>> plan) =>
        fleet.ToDictionary(workload => workload.Uid, workload => new Placed(plan[workload.Uid].ToHashSet(), workload.HostPorts));

    private static string Text(FleetWorkload[] fleet, Dictionary<string, IReadOnlyList<string>> plan) => string.Join(
        "; ", fleet.OrderBy(workload => workload.Name, StringComparer.Ordinal).Select(workload => $"{workload.Name}: {string.Join(',', plan[workload.Uid])}"));

    private static (FleetWorkload[] Fleet, Dictionary<string, Placed> Current) Read(params string[] workloads)
    {
        var current = Nothing();
        var fleet = workloads.Select((text, age) =>
        {
            var words = text.Split(' ');
            if (words.Length > 3)
            {
                var at = words[3].Split('@');
                current[words[0]] = new Placed(at[1].Split(',').ToHashSet(), HostPort.Of(Pod(at[0])));
            }

            var placement = new Placement { Replicas = words[2] == "*" ? null : int.Parse(words[2], CultureInfo.InvariantCulture) };
            return new FleetWorkload(words[0], words[0], 1, new WorkloadSpec { Template = Pod(words[1]), Placement = placement })
            {
                Created = DateTimeOffset.UnixEpoch.AddDays(age),
            };
        });
        return ([.. fleet], current);
    }

    private static PodSpec Pod(string ports) => new()
    {
        Containers =
        [
            new ContainerSpec
            {
                Name = "main",
                Image = "registry.local/web:1",
                Ports =
                [
                    .. ports.Split('+').Select(port => new ContainerPort
                    {
                        Port = 8080,
                        HostPort = int.Parse(port.TrimEnd('u').Split(':')[^1], CultureInfo.InvariantCulture),
                        HostIP = port.Contains(':', StringComparison.Ordinal) ? port.Split(':')[0] : null,
                        Protocol = port.EndsWith('u') ? PortProtocol.UDP : PortProtocol.TCP,
                    }),
                ],
            },
        ],
    };
}
