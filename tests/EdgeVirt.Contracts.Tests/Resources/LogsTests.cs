using EdgeVirt.Contracts.Manifests;
using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Contracts.Tests.Resources;

public sealed class LogsTests
{
    [Test]
    public void Are_kept_as_the_workload_says()
    {
        var read = Parse("{maxSize: 1Mi, maxFiles: 3}");
        Assert.That(read.Errors, Is.Empty);
        var logs = read.Resources.Single().SpecOf<WorkloadSpec>().Template.Logs!;
        Assert.That((logs.MaxSize!.Value.Value, logs.MaxFiles), Is.EqualTo((1 << 20, 3)));
    }

    [TestCase("{maxSize: 64Ki}", "maxSize", "between 256Ki and 1Gi")]
    [TestCase("{maxSize: 2Gi}", "maxSize", "between 256Ki and 1Gi")]
    [TestCase("{maxSize: much}", "maxSize", "quantity")]
    [TestCase("{maxFiles: 0}", "maxFiles", "between 1 and 100")]
    [TestCase("{storage: Memory, flushIntervalSeconds: 1}", "flushIntervalSeconds", "between 10 and 86400")]
    [TestCase("{storage: Disk, flushIntervalSeconds: 60}", "flushIntervalSeconds", "storage: Memory")]
    [TestCase("{storage: Tape}", "storage", "Memory")]
    [TestCase("{maxFile: 1}", "maxFile", "")]
    public void What_cannot_be_is_refused_by_field(string logs, string field, string reason)
    {
        var error = Parse(logs).Errors.Single();
        Assert.That(error.Field, Is.EqualTo("spec.template.logs." + field));
        Assert.That(error.Reason, Does.Contain(reason));
    }

    private static ManifestResult Parse(string logs) => Manifest.Parse(
        $"apiVersion: edgevirt.io/v1\nkind: Workload\nmetadata: {{name: web}}\nspec:\n  template:\n    logs: {logs}\n    containers: [{{name: main, image: 'r.local/web:1'}}]\n");
}
