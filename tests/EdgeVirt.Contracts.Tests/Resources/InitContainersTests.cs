using EdgeVirt.Contracts.Manifests;
using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Contracts.Tests.Resources;

public sealed class InitContainersTests
{
    [Test]
    public void Begin_before_the_others()
    {
        var read = Parse("{name: setup, image: 'r.local/a:1'}");
        Assert.That(read.Errors, Is.Empty);
        Assert.That(read.Resources.Single().SpecOf<WorkloadSpec>().Template.AllContainers().Select(container => container.Name), Is.EqualTo(["setup", "main"]));
    }

    [TestCase("{name: main, image: 'r.local/a:1'}", "containers[0].name", "unique")]
    [TestCase("{name: setup, image: 'r.local/a:1', ports: [{containerPort: 80}]}", "initContainers[0].ports", "init containers")]
    [TestCase("{name: setup, image: 'r.local/a:1', volumeMounts: [{name: data, mountPath: /data}]}", "initContainers[0].volumeMounts[0].name", "no volume")]
    [TestCase("{name: setup}", "initContainers[0].image", "required")]
    public void What_cannot_be_is_refused_by_field(string init, string field, string reason)
    {
        var error = Parse(init).Errors[0];
        Assert.That(error.Field, Is.EqualTo("spec.template." + field));
        Assert.That(error.Reason, Does.Contain(reason));
    }

    private static ManifestResult Parse(string init) => Manifest.Parse(
        $"apiVersion: edgevirt.io/v1\nkind: Workload\nmetadata: {{name: web}}\nspec:\n  template:\n    initContainers: [{init}]\n    containers: [{{name: main, image: 'r.local/web:1'}}]\n");
}
