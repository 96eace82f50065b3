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

    [Test]
    public void What_is_optional_everywhere_is_not_required_and_is_sent_all_the_same()
    {
        var template = new PodSpec
        {
            Containers =
            [
                new ContainerSpec
                {
                    Name = "c", Image = "r.test/a:1",
                    Env = [Key("both", optional: true), Key("both", optional: false), Key("may", optional: true)],
                },
            ],
            Volumes = [new VolumeSpec { Name = "v", Config = new ConfigSource { Name = "may", Optional = true } }, new VolumeSpec { Name = "w", Config = new ConfigSource { Name = "must" } }],
        };
        var workload = new FleetWorkload("w", "u", 1, new WorkloadSpec { Template = template });
        Assert.That((workload.Secrets, workload.RequiredSecrets), Is.EqualTo((new[] { "both", "may" }, new[] { "both" })));
        Assert.That((workload.Configs, workload.RequiredConfigs), Is.EqualTo((new[] { "may", "must" }, new[] { "must" })));
    }

    [Test]
    public void A_machine_refers_to_its_secrets_and_publishes_by_its_cards()
    {
        var machine = FleetMachine.Of(Manifests.Machine("guest", """
            , cloudInit: {userDataSecret: {name: seed}}, imagePullSecrets: [{name: registry}],
            interfaces: [{name: a, ports: [{containerPort: 22, hostPort: 2222, hostIP: 127.0.0.1}, {containerPort: 80}]}, {name: b, ports: [{containerPort: 53, hostPort: 53, protocol: UDP}]}]
            """));
        Assert.That(machine.Secrets, Is.EqualTo(new[] { "registry", "seed" }));
        Assert.That(machine.RequiredSecrets, Is.EqualTo(machine.Secrets));
        Assert.That(machine.HostPorts, Is.EquivalentTo(new[] { new HostPort(2222, PortProtocol.TCP, "127.0.0.1"), new HostPort(53, PortProtocol.UDP) }));
        Assert.That(FleetMachine.Of(Manifests.Machine()).HostPorts, Is.Empty);
    }

    private static EnvVar Key(string name, bool optional) =>
        new() { Name = "P", ValueFrom = new EnvVarSource { SecretKeyRef = new KeyRef { Name = name, Key = "k", Optional = optional } } };
}
