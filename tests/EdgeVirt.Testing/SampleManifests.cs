namespace EdgeVirt.Testing;

/// <summary>What the tests ask of a hub.</summary>
public static class SampleManifests
{
    public const int WebPort = 8080;

    public const string Web = $$"""
        apiVersion: edgevirt.io/v1
        kind: Workload
        metadata: {name: web}
        spec:
          template:
            containers:
            - name: nginx
              image: {{Fleet.WebImage}}
              ports: [{containerPort: 8080, hostPort: 8080}]
        """;

    /// <summary>A workload that sleeps; <paramref name="version"/> is in its environment, so that another one is another generation.</summary>
    public static string Sleeper(string name, int version = 0) => $$"""
        apiVersion: edgevirt.io/v1
        kind: Workload
        metadata: {name: {{name}}}
        spec:
          template:
            terminationGracePeriodSeconds: 0
            containers:
            - name: sleep
              image: {{Fleet.BusyboxImage}}
              command: [/bin/sh, -c, "echo started $VERSION; exec sleep 100000"]
              env: [{name: VERSION, value: "{{version}}"}]
        """;

    public static string Config(string name, string value) => $$"""
        apiVersion: edgevirt.io/v1
        kind: Config
        metadata: {name: {{name}}}
        spec:
          data: {value: "{{value}}"}
        """;
}
