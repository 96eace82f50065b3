using EdgeVirt.Contracts.Manifests;
using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Contracts.Tests.Resources;

public sealed class SchedulingTests
{
    [Test]
    public void Resources_are_read_in_the_words_of_Kubernetes_and_of_the_kernel()
    {
        var read = Parse("{cpus: '0-2,4', memoryHigh: 48Mi, blockIO: {weight: 200, rbps: 1Mi, wiops: 50}, realtime: {priority: 20}, limits: {memory: 64Mi, hugepages-2Mi: 4Mi}}");
        Assert.That(read.Errors, Is.Empty);
        var resources = read.Resources.Single().SpecOf<WorkloadSpec>().Template.Containers[0].Resources!;
        Assert.That((resources.Cpus, resources.MemoryHigh!.Value.Value, resources.Limits!.Hugepages2Mi!.Value.Value), Is.EqualTo(("0-2,4", 48m * (1 << 20), 4m * (1 << 20))));
        Assert.That((resources.BlockIO!.Weight, resources.BlockIO.ReadBytesPerSecond!.Value.Value, resources.BlockIO.WritesPerSecond, resources.Realtime!.Priority), Is.EqualTo((200, 1_048_576m, 50L, 20)));
    }

    [TestCase("{cpus: '2-1'}", "cpus", "list of CPUs")]
    [TestCase("{cpus: 'all'}", "cpus", "list of CPUs")]
    [TestCase("{cpus: '0,,1'}", "cpus", "list of CPUs")]
    [TestCase("{memoryHigh: 1Mi}", "memoryHigh", "at least 4Mi")]
    [TestCase("{memoryHigh: 64Mi, limits: {memory: 32Mi}}", "memoryHigh", "not be more than the limit")]
    [TestCase("{limits: {hugepages-2Mi: 3Mi}}", "limits.hugepages-2Mi", "multiple of 2Mi")]
    [TestCase("{limits: {hugepages-1Gi: 2Mi}}", "limits.hugepages-1Gi", "multiple of 1Gi")]
    [TestCase("{blockIO: {weight: 0}}", "blockIO.weight", "between 1 and 10000")]
    [TestCase("{blockIO: {rbps: 10}}", "blockIO.rbps", "at least 1Ki")]
    [TestCase("{blockIO: {wiops: 0}}", "blockIO.wiops", "at least 1")]
    [TestCase("{realtime: {priority: 100}}", "realtime.priority", "between 1 and 99")]
    [TestCase("{realtime: {}}", "realtime.priority", "required")]
    [TestCase("{realtime: {priority: 1, realtimeRuntime: 2000, realtimePeriod: 1000}}", "realtime.realtimeRuntime", "between 1 and the period")]
    public void What_cannot_be_is_refused_by_field(string resources, string field, string reason)
    {
        var error = Parse(resources).Errors.Single();
        Assert.That(error.Field, Is.EqualTo("spec.template.containers[0].resources." + field));
        Assert.That(error.Reason, Does.Contain(reason));
    }

    private static ManifestResult Parse(string resources) => Manifest.Parse(
        $"apiVersion: edgevirt.io/v1\nkind: Workload\nmetadata: {{name: web}}\nspec:\n  template:\n    containers:\n    - name: main\n      image: r.local/web:1\n      resources: {resources}\n");
}
