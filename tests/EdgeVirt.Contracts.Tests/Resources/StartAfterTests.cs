using EdgeVirt.Contracts.Manifests;
using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Contracts.Tests.Resources;

internal sealed class StartAfterTests
{
    [Test]
    public void It_waits_for_Ready_unless_said_otherwise()
    {
        var after = Parse("[{workload: db}, {workload: job, condition: Completed, optional: true}]").Resources.Single().SpecOf<WorkloadSpec>().Template.StartAfter;
        Assert.That(after, Is.EqualTo([new StartAfter { Workload = "db" }, new StartAfter { Workload = "job", Condition = StartCondition.Completed, Optional = true }]));
    }

    [TestCase("[{condition: Ready}]", "[0].workload", "required")]
    [TestCase("[{workload: DB}]", "[0].workload", "'DB'")]
    [TestCase("[{workload: db}, {workload: db, condition: Started}]", "[1].workload", "there twice")]
    [TestCase("[{workload: db, condition: Healthy}]", "[0].condition", "Ready, Started, Completed")]
    public void What_cannot_be_is_refused_by_field(string text, string field, string reason)
    {
        var error = Parse(text).Errors.Single();
        Assert.That(error.Field, Is.EqualTo("spec.template.startAfter" + field));
        Assert.That(error.Reason, Does.Contain(reason));
    }

    [Test]
    public void A_node_refuses_a_workload_that_waits_for_itself()
    {
        var template = new PodSpec { Containers = [new ContainerSpec { Name = "main", Image = "r.local/web:1" }], StartAfter = [new StartAfter { Workload = "web" }] };
        var document = new NodeDocument { Node = "n", Workloads = [new DesiredWorkload { Name = "web", Uid = "u", Generation = 1, Template = template }] };
        Assert.That(NodeDocumentValidation.ProblemOf(document, "n"), Does.Contain("workload 'web': spec.template.startAfter names the workload itself"));
    }

    [TestCase("a", "a>b b>c c>a", "a b c a")]
    [TestCase("a", "a>a", "a a")]
    [TestCase("a", "a>b b>c c>b", null)]
    [TestCase("a", "a>b b>c c>a b>a", "a b a")]
    [TestCase("a", "", null)]
    public void The_shortest_circle_through_a_workload_is_found(string name, string edges, string? circle)
    {
        var all = edges.Split(' ', StringSplitOptions.RemoveEmptyEntries).ToLookup(edge => edge[..1], edge => edge[2..]);
        Assert.That(StartCircle.Find(name, other => all[other]), Is.EqualTo(circle?.Split(' ')));
    }

    private static ManifestResult Parse(string after) => Manifest.Parse(
        $"apiVersion: edgevirt.io/v1\nkind: Workload\nmetadata: {{name: web}}\nspec:\n  template:\n    startAfter: {after}\n" +
        "    containers:\n    - {name: main, image: 'r.local/web:1'}\n");
}
