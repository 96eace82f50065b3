using EdgeVirt.Contracts.Manifests;
using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Contracts.Tests.Resources;

public sealed class DeviceTests
{
    [Test]
    public void Devices_are_read_by_path_class_and_name()
    {
        var read = Parse("[{path: '/dev/ttyUSB*'}, {class: video, permissions: rw}, {name: modem, containerPath: /dev/modem}]");
        Assert.That(read.Errors, Is.Empty);
        var devices = read.Resources.Single().SpecOf<WorkloadSpec>().Template.Containers[0].Devices!;
        Assert.That(devices, Is.EqualTo([new DeviceSpec { Path = "/dev/ttyUSB*" }, new DeviceSpec { Class = "video", Permissions = "rw" }, new DeviceSpec { Name = "modem", ContainerPath = "/dev/modem" }]));
    }

    [TestCase("[{}]", "[0]", "exactly one")]
    [TestCase("[{path: /dev/a, name: a}]", "[0]", "exactly one")]
    [TestCase("[{path: /etc/passwd}]", "[0].path", "below /dev")]
    [TestCase("[{path: /dev/../etc/x}]", "[0].path", "below /dev")]
    [TestCase("[{path: '/dev/*/x'}]", "[0].path", "last part")]
    [TestCase("[{class: ../block}]", "[0].class", "/sys/class")]
    [TestCase("[{name: A b}]", "[0].name", "lower-case")]
    [TestCase("[{path: '/dev/a*', containerPath: /dev/b}]", "[0].containerPath", "one device alone")]
    [TestCase("[{path: /dev/a, permissions: rwx}]", "[0].permissions", "some of r, w and m")]
    public void What_cannot_be_is_refused_by_field(string devices, string field, string reason)
    {
        var error = Parse(devices).Errors.Single();
        Assert.That(error.Field, Is.EqualTo("spec.template.containers[0].devices" + field));
        Assert.That(error.Reason, Does.Contain(reason));
    }

    private static ManifestResult Parse(string devices) => Manifest.Parse(
        $"apiVersion: edgevirt.io/v1\nkind: Workload\nmetadata: {{name: web}}\nspec:\n  template:\n    containers:\n    - name: main\n      image: r.local/web:1\n      devices: {devices}\n");
}
