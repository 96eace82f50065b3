using EdgeVirt.Contracts.Manifests;
using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Contracts.Tests.Manifests;

public sealed class ManifestTests
{
    private const string Web = """
        apiVersion: edgevirt.io/v1
        kind: Workload
        metadata:
          name: web
          labels: {app: web}
        spec:
          template:
            containers:
            - name: nginx
              image: registry.local:5000/sample/web:1
              env:
              - {name: MODE, value: "1"}
              ports:
              - {containerPort: 80, hostPort: 8080}
              resources:
                {limits: {cpu: 500m, memory: 64Mi}}
          placement:
            nodeSelector: {site: oslo}
        """;

    [Test]
    public void Reads_a_workload_that_a_pod_writer_would_write()
    {
        var result = Manifest.Parse(Web);

        Assert.That(result.Errors, Is.Empty);
        var spec = result.Resources.Single().SpecOf<WorkloadSpec>();
        var container = spec.Template.Containers.Single();
        Assert.Multiple(() =>
        {
            Assert.That(container.Ports!.Single().Port, Is.EqualTo(80));
            Assert.That(container.Ports!.Single().HostPort, Is.EqualTo(8080));
            Assert.That(container.Resources!.Limits!.Memory!.Value.Value, Is.EqualTo(64 << 20));
            Assert.That(container.Resources.Limits.Cpu!.Value.Value, Is.EqualTo(0.5m));
            Assert.That(spec.Template.RestartPolicy, Is.EqualTo(RestartPolicy.Always));
            Assert.That(spec.Placement!.NodeSelector!["site"], Is.EqualTo("oslo"));
        });
    }

    [TestCase("0400", 0x100)]
    [TestCase("0o400", 0x100)]
    [TestCase("256", 0x100)]
    [TestCase("0", 0)]
    public void Reads_file_modes_as_kubernetes_does(string text, int mode)
    {
        var result = Manifest.Parse(Web.Replace("    containers:", $"    volumes: [{{name: v, secret: {{secretName: s, defaultMode: {text}}}}}]\n    containers:", StringComparison.Ordinal));
        Assert.That(result.Errors, Is.Empty);
        Assert.That(result.Resources.Single().SpecOf<WorkloadSpec>().Template.Volumes!.Single().Secret!.DefaultMode, Is.EqualTo(mode));
    }

    [TestCase("0800", "a whole number")]
    [TestCase("01000", "permission bits between 0 and 0777")]
    public void Refuses_what_is_no_file_mode(string text, string reason)
    {
        var result = Manifest.Parse(Web.Replace("    containers:", $"    volumes: [{{name: v, secret: {{secretName: s, defaultMode: {text}}}}}]\n    containers:", StringComparison.Ordinal));
        Assert.That(result.Errors.Single(), Has.Property("Field").EqualTo("spec.template.volumes[0].secret.defaultMode").And.Property("Line").EqualTo(8).And.Property("Reason").Contains(reason));
    }

    [TestCase("image: registry.local:5000/sample/web:1", "imagee: x/y", "spec.template.containers[0].imagee", 10, "did you mean 'image'?")]
    [TestCase("containerPort: 80,", "containerPort: http,", "spec.template.containers[0].ports[0].containerPort", 14, "a whole number")]
    [TestCase("containerPort: 80,", "containerPort: 80000,", "spec.template.containers[0].ports[0].containerPort", 14, "between 1 and 65535")]
    [TestCase("value: \"1\"", "value: 1", "spec.template.containers[0].env[0].value", 12, "put it in quotes")]
    [TestCase("cpu: 500m", "cpu: lots", "spec.template.containers[0].resources.limits.cpu", 16, "a quantity such as")]
    [TestCase("limits: {cpu: 500m, memory: 64Mi}", "requests: {cpu: 600m}, limits: {cpu: 500m}", "spec.template.containers[0].resources.requests.cpu", 16, "not be more than the limit")]
    [TestCase("limits: {cpu: 500m, memory: 64Mi}", "limits: {ephemeral-storage: 10Ki}", "spec.template.containers[0].resources.limits.ephemeral-storage", 16, "at least 1Mi")]
    [TestCase("name: nginx", "name: Nginx", "spec.template.containers[0].name", 9, "lower-case")]
    [TestCase("  name: web", "  name: web0123456789012345678901234567890123456789012345678901234567890123456789", "metadata.name", 4, "at most 63")]
    [TestCase("kind: Workload", "kind: Workloads", "kind", 2, "is not known")]
    [TestCase("image: registry.local:5000/sample/web:1", "image: nginx", "spec.template.containers[0].image", 10, "names no registry")]
    [TestCase("site: oslo", "site: oslo, site: bergen", "site", 18, "twice")]
    [TestCase("kind: Workload", "kind: Workload\ndata: {}", "data", 3, "is not a field here")]
    public void Names_field_line_and_reason_of_a_fault(string from, string to, string field, int line, string reason)
    {
        var result = Manifest.Parse(Web.Replace(from, to, StringComparison.Ordinal));

        Assert.That(result.Resources, Is.Empty);
        var error = result.Errors.First(candidate => candidate.Field == field);
        Assert.That(error.Line, Is.EqualTo(line));
        Assert.That(error.Reason, Does.Contain(reason));
    }

    [Test]
    public void Applies_nothing_of_a_text_with_one_bad_document()
    {
        var result = Manifest.Parse(Web + "\n---\nkind: Config\napiVersion: edgevirt.io/v1\nmetadata: {name: c}\nspec: {dat: {}}\n");

        Assert.That(result.Resources, Is.Empty);
        Assert.That(result.Errors.Single().Document, Is.EqualTo("Config/c"));
    }

    [TestCase("1000", "spec.template.imagePull.maxBytes")]
    [TestCase("much", "spec.template.imagePull.maxBytes")]
    public void Refuses_a_pull_budget_that_is_none(string bytes, string field)
    {
        var result = Manifest.Parse(
            "apiVersion: edgevirt.io/v1\nkind: Workload\nmetadata: {name: w}\nspec: {template: {containers: [{name: c, image: r.test/a:1}], imagePull: {maxBytes: " + bytes + "}}}\n");

        Assert.That(result.Errors.Single().Field, Is.EqualTo(field));
    }

    [TestCase(-1)]
    [TestCase(256)]
    public void Refuses_an_uplink_cost_that_is_none(int cost)
    {
        var result = Manifest.Parse(
            "apiVersion: edgevirt.io/v1\nkind: Workload\nmetadata: {name: w}\nspec: {template: {containers: [{name: c, image: r.test/a:1}], imagePull: {maxUplinkCost: " + cost + "}}}\n");

        Assert.That(result.Errors.Single().Field, Is.EqualTo("spec.template.imagePull.maxUplinkCost"));
    }

    [Test]
    public void Refuses_a_delta_policy_that_is_none()
    {
        var result = Manifest.Parse(
            "apiVersion: edgevirt.io/v1\nkind: Workload\nmetadata: {name: w}\nspec: {template: {containers: [{name: c, image: r.test/a:1}], imagePull: {delta: Always}}}\n");

        Assert.That(result.Errors.Single().Field, Is.EqualTo("spec.template.imagePull.delta"));
        Assert.That(result.Errors.Single().Reason, Does.Contain("Preferred").And.Contain("Required").And.Contain("Never"));
    }

    [TestCase("[{name: Registry}]", "spec.template.imagePullSecrets[0].name")]
    [TestCase("[{name: a}, {name: a}]", "spec.template.imagePullSecrets[1].name")]
    [TestCase("[{}]", "spec.template.imagePullSecrets[0]")]
    [TestCase("[{name: a, key: b}]", "spec.template.imagePullSecrets[0]")]
    public void Refuses_pull_secrets_that_name_nothing(string secrets, string field)
    {
        var result = Manifest.Parse(
            "apiVersion: edgevirt.io/v1\nkind: Workload\nmetadata: {name: w}\nspec: {template: {containers: [{name: c, image: r.test/a:1}], imagePullSecrets: " + secrets + "}}\n");

        Assert.That(result.Errors.Single().Field, Does.StartWith(field));
    }

    [Test]
    public void Refuses_the_same_name_twice()
    {
        var result = Manifest.Parse(Web + "\n---\n" + Web);

        Assert.That(result.Errors.Single().Reason, Does.Contain("twice"));
    }

    [Test]
    public void Refuses_aliases_and_endless_nesting()
    {
        Assert.Multiple(() =>
        {
            Assert.That(Manifest.Parse("a: &x [1]\nb: *x").Errors.Single().Reason, Does.Contain("aliases"));
            Assert.That(Manifest.Parse(new string('[', 5000)).Errors.Single().Reason, Does.Contain("nested deeper"));
        });
    }

    [Test]
    public void Reads_json_and_passes_over_a_status()
    {
        var result = Manifest.Parse("""
            {"apiVersion":"edgevirt.io/v1","kind":"Config","metadata":{"name":"c","generation":3},
             "spec":{"data":{"key":"value"}},"status":{"anything":[1,2]}}
            """);

        Assert.That(result.Errors, Is.Empty);
        Assert.That(result.Resources.Single().SpecOf<ConfigSpec>().Data["key"], Is.EqualTo("value"));
    }

    [TestCase("")]
    [TestCase("---\n---\n")]
    [TestCase("# only a comment\n")]
    public void Says_that_a_text_holds_nothing(string text) =>
        Assert.That(Manifest.Parse(text).Errors.Single().Reason, Is.EqualTo("holds no resource"));
}
