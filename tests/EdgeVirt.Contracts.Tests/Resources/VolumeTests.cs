using EdgeVirt.Contracts.Manifests;
using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Contracts.Tests.Resources;

public sealed class VolumeTests
{
    [Test]
    public void Volumes_are_read_as_they_are_written()
    {
        var read = Parse("[{name: a, emptyDir: {medium: Memory, sizeLimit: 64Mi}}, {name: b, persistentVolume: {volumeName: journal, sizeLimit: 2Gi}}, {name: c, emptyDir: {}}]");
        Assert.That(read.Errors, Is.Empty);
        var volumes = read.Resources.Single().SpecOf<WorkloadSpec>().Template.Volumes!;
        Assert.That((volumes[0].EmptyDir!.Medium, volumes[0].EmptyDir!.SizeLimit!.Value.Value), Is.EqualTo((EmptyDirMedium.Memory, 64m * (1 << 20))));
        Assert.That((volumes[1].PersistentVolume!.VolumeName, volumes[1].PersistentVolume!.SizeLimit.Value), Is.EqualTo(("journal", 2m * (1 << 30))));
        Assert.That((volumes[2].EmptyDir!.Medium, volumes[2].EmptyDir!.SizeLimit), Is.EqualTo(((EmptyDirMedium?)null, (Quantity?)null)));
    }

    [TestCase("[{name: a, emptyDir: {sizeLimit: 4Ki}}]", "[0].emptyDir.sizeLimit", "at least 1Mi")]
    [TestCase("[{name: a, emptyDir: {medium: Paper}}]", "[0].emptyDir.medium", "Memory")]
    [TestCase("[{name: a, persistentVolume: {volumeName: j, sizeLimit: 1Mi}}]", "[0].persistentVolume.sizeLimit", "at least 16Mi")]
    [TestCase("[{name: a, persistentVolume: {volumeName: j}}]", "[0].persistentVolume.sizeLimit", "required")]
    [TestCase("[{name: a, persistentVolume: {volumeName: ../j, sizeLimit: 1Gi}}]", "[0].persistentVolume.volumeName", "lower-case")]
    [TestCase("[{name: a, persistentVolume: {volumeName: j, sizeLimit: 1Gi}}, {name: b, persistentVolume: {volumeName: j, sizeLimit: 1Gi}}]", "[1].persistentVolume.volumeName", "twice")]
    [TestCase("[{name: a, hostPath: {path: var/log}}]", "[0].hostPath.path", "absolute")]
    [TestCase("[{name: a, hostPath: {path: /var/../etc}}]", "[0].hostPath.path", "'..'")]
    [TestCase("[{name: a, hostPath: {path: /var/log, type: Folder}}]", "[0].hostPath.type", "DirectoryOrCreate")]
    [TestCase("[{name: a}]", "[0]", "exactly one of emptyDir, persistentVolume")]
    [TestCase("[{name: a, emptyDir: {}, persistentVolume: {volumeName: j, sizeLimit: 1Gi}}]", "[0]", "exactly one")]
    public void What_cannot_be_is_refused_by_field(string volumes, string field, string reason)
    {
        var error = Parse(volumes).Errors.Single();
        Assert.That(error.Field, Is.EqualTo("spec.template.volumes" + field));
        Assert.That(error.Reason, Does.Contain(reason));
    }

    [TestCase("a/b", true)]
    [TestCase("a/../b", false)]
    [TestCase("/a", false)]
    [TestCase("''", false)]
    public void A_sub_path_stays_within_its_volume(string subPath, bool valid)
    {
        var errors = Parse("[{name: a, emptyDir: {}}]", $"\n      volumeMounts: [{{name: a, mountPath: /a, subPath: {subPath}}}]").Errors;
        Assert.That(errors.Select(error => error.Field), Is.EqualTo(valid ? [] : (string[])["spec.template.containers[0].volumeMounts[0].subPath"]));
    }

    private static ManifestResult Parse(string volumes, string more = "") => Manifest.Parse(
        "apiVersion: edgevirt.io/v1\nkind: Workload\nmetadata: {name: web}\nspec:\n  template:\n" +
        $"    volumes: {volumes}\n    containers:\n    - name: main\n      image: r.local/web:1{more}\n");
}
