using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Node.Tests.Containers.Bundles;

[Category("root")]
internal sealed class RealBundleTests : RealContainersFixture
{
    [Test]
    public async Task The_bundle_of_a_container_that_runs_is_what_the_specifications_schema_wants()
    {
        var plain = Workload("web", "exec sleep 1000");
        var template = plain.Template with
        {
            Volumes = [new VolumeSpec { Name = "data", EmptyDir = new EmptyDirSource() }],
            Containers =
            [
                plain.Template.Containers[0],
                plain.Template.Containers[0] with
                {
                    Name = "side",
                    Devices = [new DeviceSpec { Path = "/dev/null", ContainerPath = "/dev/nothing" }],
                    VolumeMounts = [new VolumeMount { Name = "data", MountPath = "/data" }],
                    SecurityContext = new SecurityContext { RunAsUser = 1000, AllowPrivilegeEscalation = false, ReadOnlyRootFilesystem = true },
                    Resources = new ResourceRequirements { Limits = new ResourceLimits { Pids = 20, Memory = Amount("64Mi"), Cpu = Amount("500m") } },
                },
            ],
        };
        await DesireAsync(plain with { Template = template });
        await agent.UntilAsync("web", IsReady);
        var bundles = Directory.GetFiles(directories.Bundles, "config.json", SearchOption.AllDirectories);
        Assert.That(bundles, Has.Length.EqualTo(2));
        var schema = new BundleSchema();
        Assert.That(bundles.SelectMany(path => schema.Faults(File.ReadAllText(path))), Is.Empty);
    }

    private static Quantity Amount(string text) => Quantity.TryParse(text, out var quantity) ? quantity : throw new ArgumentException(text);
}
