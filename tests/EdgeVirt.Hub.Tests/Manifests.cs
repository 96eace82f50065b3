using EdgeVirt.Contracts.Manifests;
using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Hub.Tests;

/// <summary>Manifests that tests share.</summary>
internal static class Manifests
{
    public static Resource One(string yaml)
    {
        var result = Manifest.Parse(yaml);
        Assert.That(result.Errors, Is.Empty);
        return result.Resources.Single();
    }

    public static string WorkloadText(string name = "web", string image = "registry.local/web:1", string metadata = "", string more = "") =>
        $$"""
        apiVersion: edgevirt.io/v1
        kind: Workload
        metadata: {name: {{name}}{{metadata}}}
        spec:
          template:
            containers:
            - name: main
              image: {{image}}
        {{more}}
        """;

    public static Resource Workload(string name = "web", string image = "registry.local/web:1", string metadata = "", string more = "") =>
        One(WorkloadText(name, image, metadata, more));

    public static string MachineText(string name = "guest", string more = "") =>
        $"{{apiVersion: edgevirt.io/v1, kind: VirtualMachine, metadata: {{name: {name}}}, spec: {{memory: {{size: 512Mi}}{more}}}}}";

    public static Resource Machine(string name = "guest", string more = "") => One(MachineText(name, more));

    public static string SecretText(string name, string value, string metadata = "") =>
        $"{{apiVersion: edgevirt.io/v1, kind: Secret, metadata: {{name: {name}{metadata}}}, spec: {{stringData: {{password: {value}}}}}}}";

    public static Resource Secret(string name, string value) => One(SecretText(name, value));

    public static Resource Config(string name, string value) =>
        One($"{{apiVersion: edgevirt.io/v1, kind: Config, metadata: {{name: {name}}}, spec: {{data: {{key: '{value}'}}}}}}");

    public static Resource Node(string name, string labels = "{}", bool unschedulable = false) =>
        One($"{{apiVersion: edgevirt.io/v1, kind: Node, metadata: {{name: {name}, labels: {labels}}}, spec: {{unschedulable: {(unschedulable ? "true" : "false")}}}}}");
}
