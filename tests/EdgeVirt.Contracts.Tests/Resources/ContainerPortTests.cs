using EdgeVirt.Contracts.Manifests;
using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Contracts.Tests.Resources;

public sealed class ContainerPortTests
{
    [TestCase("{containerPort: 80, hostPort: 80}, {containerPort: 80, hostPort: 81, hostIP: 127.0.0.1}", "80, 127.0.0.1 81")]
    [TestCase("{containerPort: 80, hostPort: 80, hostIP: 127.0.0.1}, {containerPort: 81, hostPort: 80, hostIP: 192.168.1.10}", "127.0.0.1 80, 192.168.1.10 80")]
    [TestCase("{containerPort: 80, hostPort: 80, hostIP: 0.0.0.0}, {containerPort: 80, hostPort: 80, protocol: UDP}", "80, 80")]
    public void Ports_are_published_on_chosen_addresses(string ports, string expected)
    {
        var read = Parse(ports);
        Assert.That(read.Errors, Is.Empty);
        var found = read.Resources.Single().SpecOf<WorkloadSpec>().Template.Containers[0].Ports!;
        Assert.That(string.Join(", ", found.Select(port => $"{port.HostAddress()} {port.HostPort}".Trim())), Is.EqualTo(expected));
    }

    [TestCase("{containerPort: 80, hostPort: 80}, {containerPort: 81, hostPort: 80, hostIP: 127.0.0.1}", "[1].hostPort", "twice on 127.0.0.1")]
    [TestCase("{containerPort: 80, hostPort: 80, hostIP: 127.0.0.1}, {containerPort: 81, hostPort: 80, hostIP: 0.0.0.0}", "[1].hostPort", "twice")]
    [TestCase("{containerPort: 80, hostPort: 80, hostIP: eth0}", "[0].hostIP", "must be an IPv4 address of the node")]
    [TestCase("{containerPort: 80, hostPort: 80, hostIP: '10.1'}", "[0].hostIP", "must be an IPv4 address of the node")]
    [TestCase("{containerPort: 80, hostPort: 80, hostIP: '::'}", "[0].hostIP", "not published on IPv6")]
    [TestCase("{containerPort: 80, hostIP: 127.0.0.1}", "[0].hostIP", "needs hostPort")]
    public void What_cannot_be_published_is_refused_by_field(string ports, string field, string reason)
    {
        var error = Parse(ports).Errors.Single();
        Assert.That((error.Field, error.Reason), Is.EqualTo(("spec.template.containers[0].ports" + field, error.Reason)));
        Assert.That(error.Reason, Does.Contain(reason));
    }

    private static ManifestResult Parse(string ports) => Manifest.Parse(
        "apiVersion: edgevirt.io/v1\nkind: Workload\nmetadata: {name: web}\nspec:\n  template:\n" +
        $"    containers:\n    - name: main\n      image: r.local/web:1\n      ports: [{ports}]\n");
}
