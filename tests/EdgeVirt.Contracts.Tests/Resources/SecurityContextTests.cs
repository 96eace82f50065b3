using EdgeVirt.Contracts.Manifests;
using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Contracts.Tests.Resources;

public sealed class SecurityContextTests
{
    [Test]
    public void A_context_is_read_as_a_pod_writer_writes_it()
    {
        var read = Parse(
            "{privileged: false, readOnlyRootFilesystem: true, runAsUser: 33, runAsNonRoot: true, allowPrivilegeEscalation: false, " +
            "capabilities: {drop: [ALL], add: [NET_BIND_SERVICE]}, seccompProfile: {type: Unconfined}}",
            "{runAsGroup: 34, supplementalGroups: [70]}");
        Assert.That(read.Errors, Is.Empty);
        var pod = read.Resources.Single().SpecOf<WorkloadSpec>().Template;
        var own = pod.Containers[0].SecurityContext!;
        Assert.That((own.ReadOnlyRootFilesystem, own.RunAsUser, own.RunAsNonRoot, own.AllowPrivilegeEscalation), Is.EqualTo((true, 33, true, false)));
        Assert.That((own.Capabilities!.Add, own.Capabilities.Drop), Is.EqualTo((new[] { "NET_BIND_SERVICE" }, new[] { "ALL" })));
        Assert.That(own.SeccompProfile!.Type, Is.EqualTo(SeccompProfileType.Unconfined));
        Assert.That((pod.SecurityContext!.RunAsGroup, pod.SecurityContext.SupplementalGroups), Is.EqualTo((34, new[] { 70 })));
    }

    [TestCase("{runAsUser: -1}", "{}", "containers[0].securityContext.runAsUser", "negative")]
    [TestCase("{runAsNonRoot: true, runAsUser: 0}", "{}", "containers[0].securityContext.runAsUser", "runAsNonRoot")]
    [TestCase("{}", "{runAsNonRoot: true, runAsUser: 0}", "containers[0].securityContext.runAsUser", "runAsNonRoot")]
    [TestCase("{}", "{supplementalGroups: [1, -2]}", "securityContext.supplementalGroups[1]", "negative")]
    [TestCase("{capabilities: {add: [FLY]}}", "{}", "containers[0].securityContext.capabilities.add[0]", "NET_ADMIN")]
    [TestCase("{capabilities: {drop: [CAP_ALL]}}", "{}", "containers[0].securityContext.capabilities.drop[0]", "no capability")]
    [TestCase("{privileged: true, allowPrivilegeEscalation: false}", "{}", "containers[0].securityContext.allowPrivilegeEscalation", "privileged")]
    [TestCase("{capabilities: {add: [sys_admin]}, allowPrivilegeEscalation: false}", "{}", "containers[0].securityContext.allowPrivilegeEscalation", "SYS_ADMIN")]
    [TestCase("{seccompProfile: {type: Localhost}}", "{}", "containers[0].securityContext.seccompProfile.type", "RuntimeDefault, Unconfined")]
    [TestCase("{privileged: true, appArmorProfile: {type: RuntimeDefault}}", "{}", "containers[0].securityContext.appArmorProfile", "no effect")]
    [TestCase("{appArmorProfile: {type: Localhost}}", "{}", "containers[0].securityContext.appArmorProfile.localhostProfile", "names the profile")]
    [TestCase("{appArmorProfile: {type: Unconfined, localhostProfile: x}}", "{}", "containers[0].securityContext.appArmorProfile.localhostProfile", "that type alone")]
    [TestCase("{}", "{appArmorProfile: {type: Localhost}}", "securityContext.appArmorProfile.localhostProfile", "names the profile")]
    [TestCase("{procMount: Default}", "{}", "containers[0].securityContext.procMount", "not a field")]
    [TestCase("{}", "{fsGroup: -1}", "securityContext.fsGroup", "negative")]
    [TestCase("{}", "{fsGroupChangePolicy: Always}", "securityContext.fsGroupChangePolicy", "not a field")]
    public void What_cannot_be_is_refused_by_field(string own, string pod, string field, string reason)
    {
        var error = Parse(own, pod).Errors.Single();
        Assert.That((error.Field, error.Reason), Is.EqualTo(("spec.template." + field, error.Reason)));
        Assert.That(error.Reason, Does.Contain(reason));
    }

    [TestCase("NET_ADMIN", "CAP_NET_ADMIN")]
    [TestCase("cap_net_admin", "CAP_NET_ADMIN")]
    [TestCase("all", "ALL")]
    [TestCase("", null)]
    [TestCase("CAP_", null)]
    public void Capabilities_are_named_in_every_notation(string text, string? name)
    {
        Assert.That(Capability.TryParse(text, out var found), Is.EqualTo(name is not null));
        Assert.That(found, Is.EqualTo(name));
    }

    [TestCase("CAP_CHOWN", 0)]
    [TestCase("CAP_SYS_ADMIN", 21)]
    [TestCase("CAP_CHECKPOINT_RESTORE", 40)]
    public void Each_capability_stands_at_its_number(string name, int number) => Assert.That(Capability.Names[number], Is.EqualTo(name));

    private static ManifestResult Parse(string own, string pod) => Manifest.Parse(
        $"apiVersion: edgevirt.io/v1\nkind: Workload\nmetadata: {{name: web}}\nspec:\n  template:\n    securityContext: {pod}\n" +
        $"    containers:\n    - name: main\n      image: r.local/web:1\n      securityContext: {own}\n");
}
