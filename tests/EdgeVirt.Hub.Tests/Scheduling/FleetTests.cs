using EdgeVirt.Contracts.Resources;
using EdgeVirt.Hub.Scheduling;

namespace EdgeVirt.Hub.Tests.Scheduling;

internal sealed class FleetTests
{
    [Test]
    public void A_workload_refers_to_its_imagePullSecrets()
    {
        var template = new PodSpec
        {
            Containers = [new ContainerSpec { Name = "c", Image = "r.test/a:1", Env = [new EnvVar { Name = "P", ValueFrom = new EnvVarSource { SecretKeyRef = new KeyRef { Name = "env", Key = "k" } } }] }],
            ImagePullSecrets = [new LocalObjectReference { Name = "registry" }],
        };
        Assert.That(new FleetWorkload("w", "u", 1, new WorkloadSpec { Template = template }).Secrets, Is.EqualTo(new[] { "env", "registry" }));
    }
}
