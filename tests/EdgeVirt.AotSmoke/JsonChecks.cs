using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Manifests;
using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.AotSmoke;

internal static class JsonChecks
{
    public const string Workload = """
        apiVersion: edgevirt.io/v1
        kind: Workload
        metadata: {name: web, labels: {app: web}}
        spec:
          template:
            restartPolicy: OnFailure
            containers:
            - name: nginx
              image: registry.local:5000/web:1
              ports: [{containerPort: 80, hostPort: 8080, protocol: TCP}]
              resources: {limits: {cpu: 500m, memory: 64Mi}}
        """;

    public static Task ManifestAsync()
    {
        var good = Manifest.Parse(Workload);
        Check.That(good.IsValid, string.Join("; ", good.Errors));
        var spec = good.Resources.Single().SpecOf<WorkloadSpec>();
        Check.That(spec.Template.RestartPolicy == RestartPolicy.OnFailure, "the enum is read by name");
        Check.That(spec.Template.Containers.Single().Resources!.Limits!.Memory!.Value.Value == 64 << 20, "the quantity is read");

        var bad = Manifest.Parse(Workload.Replace("hostPort: 8080", "hostport: 8080", StringComparison.Ordinal));
        Check.That(bad.Errors.Single() is { Line: 10, Field: "spec.template.containers[0].ports[0].hostport" }, "the fault has field and line");
        return Task.CompletedTask;
    }

    public static Task NodeDocumentAsync()
    {
        var spec = Manifest.Parse(Workload).Resources.Single().SpecOf<WorkloadSpec>();
        var document = new NodeDocument
        {
            Node = "smoke",
            Workloads = [new DesiredWorkload { Name = "web", Uid = "u", Generation = 3, Template = spec.Template }],
            Secrets = [new DesiredSecret { Name = "s", Data = new Dictionary<string, byte[]> { ["k"] = [0, 255] } }],
        };
        var bytes = document.ToBytes();
        var read = NodeDocument.FromBytes(bytes);
        Check.That(read.ToBytes().AsSpan().SequenceEqual(bytes), "the bytes are the same after reading and writing");
        Check.That(read.Workloads[0].Template.Containers[0].Ports![0].HostPort == 8080, "nested values are there");
        Check.That(read.Secrets[0].Data["k"].AsSpan().SequenceEqual((byte[])[0, 255]), "bytes are there");
        return Task.CompletedTask;
    }
}
