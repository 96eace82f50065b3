using EdgeVirt.Contracts.Manifests;
using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Contracts.Tests.Resources;

public sealed class UpdateStrategyTests
{
    [Test]
    public void What_is_left_out_is_recreate_with_a_way_back()
    {
        var strategy = Parse("{set: shop}").Resources.Single().SpecOf<WorkloadSpec>().Strategy!;
        Assert.That(strategy, Is.EqualTo(new UpdateStrategy { Set = "shop", Type = UpdateStrategyType.Recreate, Rollback = RollbackPolicy.OnFailure }));
    }

    [TestCase("{set: Big Shop}", "set", "'Big Shop'")]
    [TestCase("{progressDeadlineSeconds: 0}", "progressDeadlineSeconds", "between 1 and 86400")]
    [TestCase("{minReadySeconds: -1}", "minReadySeconds", "between 0 and 86400")]
    [TestCase("{progressDeadlineSeconds: 10}", "progressDeadlineSeconds", "more than minReadySeconds")]
    [TestCase("{type: HandOver}", "type", "not for hostNetwork", "hostNetwork: true")]
    [TestCase("{type: BlueGreen}", "type", "")]
    public void What_cannot_be_is_refused_by_field(string strategy, string field, string reason, string template = "hostNetwork: false")
    {
        var error = Parse(strategy, template).Errors.Single();
        Assert.That(error.Field, Is.EqualTo("spec.strategy." + field));
        Assert.That(error.Reason, Does.Contain(reason));
    }

    [Test]
    public void A_node_checks_it_too()
    {
        var workload = new DesiredWorkload
        {
            Name = "web", Uid = "u", Generation = 1,
            Template = new PodSpec { HostNetwork = true, Containers = [new ContainerSpec { Name = "main", Image = "r.local/web:1" }] },
            Strategy = new UpdateStrategy { Type = UpdateStrategyType.HandOver },
        };
        Assert.That(NodeDocumentValidation.ProblemOf(new NodeDocument { Node = "n", Workloads = [workload] }, "n"), Does.Contain("spec.strategy.type"));
    }

    private static ManifestResult Parse(string strategy, string template = "hostNetwork: false") => Manifest.Parse(
        $"apiVersion: edgevirt.io/v1\nkind: Workload\nmetadata: {{name: web}}\nspec:\n  strategy: {strategy}\n  template:\n    {template}\n" +
        "    containers:\n    - {name: main, image: 'r.local/web:1'}\n");
}
