using EdgeVirt.Contracts.Manifests;
using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Contracts.Tests.Resources;

internal sealed class HostUsersTests
{
    [TestCase("true")]
    [TestCase("false")]
    public void It_is_read(string value) =>
        Assert.That(Parse($"hostUsers: {value}").Resources.Single().SpecOf<WorkloadSpec>().Template.HostUsers, Is.EqualTo(value == "true"));

    [TestCase("hostUsers: false, hostNetwork: true", "", "hostUsers", "hostNetwork")]
    [TestCase("hostUsers: false", ", devices: [{path: /dev/ttyS0}]", "containers[0].devices", "node's users")]
    [TestCase("hostUsers: false", ", securityContext: {privileged: true}", "containers[0].securityContext.privileged", "hostUsers")]
    [TestCase("hostUsers: false", ", securityContext: {runAsUser: 65536}", "containers[0].securityContext.runAsUser", "at most 65535")]
    [TestCase("hostUsers: false, securityContext: {fsGroup: 100000}", "", "securityContext.fsGroup", "at most 65535")]
    [TestCase("hostUsers: false, securityContext: {supplementalGroups: [5, 70000]}", "", "securityContext.supplementalGroups[1]", "at most 65535")]
    public void What_cannot_be_is_refused_by_field(string pod, string container, string field, string reason)
    {
        var error = Parse(pod, container).Errors.Single();
        Assert.That(error.Field, Is.EqualTo("spec.template." + field));
        Assert.That(error.Reason, Does.Contain(reason));
    }

    [Test]
    public void With_the_nodes_users_all_of_it_stays_allowed() =>
        Assert.That(Parse("hostUsers: true, hostNetwork: true", ", devices: [{path: /dev/ttyS0}], securityContext: {privileged: true, runAsUser: 100000}").Errors, Is.Empty);

    private static ManifestResult Parse(string pod, string container = "") => Manifest.Parse(
        $"apiVersion: edgevirt.io/v1\nkind: Workload\nmetadata: {{name: web}}\nspec: {{template: {{{pod}, containers: [{{name: main, image: 'r.local/web:1'{container}}}]}}}}\n");
}
