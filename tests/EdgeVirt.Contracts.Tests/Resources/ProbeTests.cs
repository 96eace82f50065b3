using EdgeVirt.Contracts.Manifests;
using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Contracts.Tests.Resources;

public sealed class ProbeTests
{
    [Test]
    public void Probes_are_read_as_a_pod_writer_writes_them()
    {
        var read = Parse("""
            startupProbe: {exec: {command: [cat, /ready]}, failureThreshold: 30}
                  readinessProbe: {httpGet: {path: /healthz, port: 8080, httpHeaders: [{name: Host, value: a.example}]}, periodSeconds: 5}
                  livenessProbe: {grpc: {port: 9000, service: web}}
            """);
        Assert.That(read.Errors, Is.Empty);
        var container = read.Resources.Single().SpecOf<WorkloadSpec>().Template.Containers[0];
        Assert.That(container.StartupProbe!.Exec!.Command, Is.EqualTo(["cat", "/ready"]));
        Assert.That((container.StartupProbe.FailureThreshold, container.StartupProbe.PeriodSeconds), Is.EqualTo((30, (int?)null)));
        Assert.That((container.ReadinessProbe!.HttpGet!.Port, container.ReadinessProbe.HttpGet.Scheme), Is.EqualTo((8080, HttpScheme.HTTP)));
        Assert.That(container.LivenessProbe!.Grpc!.Service, Is.EqualTo("web"));
    }

    [TestCase("readinessProbe: {periodSeconds: 5}", "readinessProbe", "exactly one of")]
    [TestCase("readinessProbe: {tcpSocket: {port: 1}, grpc: {port: 1}}", "readinessProbe", "exactly one of")]
    [TestCase("readinessProbe: {tcpSocket: {port: 0}}", "readinessProbe.tcpSocket.port", "65535")]
    [TestCase("readinessProbe: {tcpSocket: {port: http}}", "readinessProbe.tcpSocket.port", "whole number")]
    [TestCase("readinessProbe: {httpGet: {path: /}}", "readinessProbe.httpGet.port", "required")]
    [TestCase("readinessProbe: {httpGet: {port: 1, path: 'a b'}}", "readinessProbe.httpGet.path", "begin with '/'")]
    [TestCase("readinessProbe: {httpGet: {port: 1, httpHeaders: [{name: 'a b', value: x}]}}", "readinessProbe.httpGet.httpHeaders[0].name", "letters")]
    [TestCase("readinessProbe: {exec: {command: []}}", "readinessProbe.exec.command", "program")]
    [TestCase("readinessProbe: {tcpSocket: {port: 1}, timeoutSeconds: 0}", "readinessProbe.timeoutSeconds", "between 1")]
    [TestCase("readinessProbe: {tcpSocket: {port: 1}, initialDelaySeconds: -1}", "readinessProbe.initialDelaySeconds", "between 0")]
    [TestCase("livenessProbe: {tcpSocket: {port: 1}, successThreshold: 2}", "livenessProbe.successThreshold", "must be 1")]
    [TestCase("lifecycle: {postStart: {}}", "lifecycle.postStart", "exactly one of")]
    [TestCase("lifecycle: {postStart: {exec: {command: []}}}", "lifecycle.postStart.exec.command", "needs a program")]
    [TestCase("lifecycle: {postStart: {sleep: {seconds: 3601}}}", "lifecycle.postStart.sleep.seconds", "between 1 and 3600")]
    [TestCase("lifecycle: {preStop: {}}", "lifecycle.preStop", "exactly one of")]
    [TestCase("lifecycle: {preStop: {sleep: {seconds: 31}}}", "lifecycle.preStop.sleep.seconds", "between 1 and terminationGracePeriodSeconds (30)")]
    [TestCase("lifecycle: {preStop: {sleep: {}}}", "lifecycle.preStop.sleep.seconds", "required")]
    [TestCase("lifecycle: {preStart: {sleep: {seconds: 1}}}", "lifecycle.preStart", "not a field")]
    [TestCase("startupProbe: {tcpSocket: {port: 1}, successThreshold: 2}", "startupProbe.successThreshold", "must be 1")]
    public void What_cannot_be_is_refused_by_field(string probe, string field, string reason)
    {
        var error = Parse(probe).Errors[0];
        Assert.That(error.Field, Is.EqualTo("spec.template.containers[0]." + field));
        Assert.That(error.Reason, Does.Contain(reason));
    }

    [Test]
    public void Init_containers_have_none()
    {
        var read = Manifest.Parse(
            "apiVersion: edgevirt.io/v1\nkind: Workload\nmetadata: {name: web}\nspec:\n  template:\n" +
            "    initContainers: [{name: setup, image: 'r.local/a:1', livenessProbe: {tcpSocket: {port: 1}}}]\n    containers: [{name: main, image: 'r.local/web:1'}]\n");
        Assert.That(read.Errors.Single().Field, Is.EqualTo("spec.template.initContainers[0].livenessProbe"));
    }

    private static ManifestResult Parse(string probes) => Manifest.Parse(
        $"apiVersion: edgevirt.io/v1\nkind: Workload\nmetadata: {{name: web}}\nspec:\n  template:\n    containers:\n    - name: main\n      image: r.local/web:1\n      {probes}\n");
}
