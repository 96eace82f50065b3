using System.Text.Json;
using EdgeVirt.Hub.Enrollment;

namespace EdgeVirt.Hub;

/// <summary>The ports in use. Known once each listener has started; they differ from the options where those say 0.</summary>
internal sealed class HubEndpoints
{
    /// <summary>REST API.</summary>
    public int ApiPort { get; set; }

    /// <summary>gRPC for nodes.</summary>
    public int NodePort { get; set; }

    /// <summary>MQTT for nodes; set by the broker when it listens.</summary>
    public int MqttPort { get; set; }

    /// <summary>Writes the ports to <paramref name="path"/> as <c>{"apiPort": …, "nodePort": …, "mqttPort": …, "processId": …}</c>.</summary>
    public void Write(string path) => DurableFile.Write(
        path,
        JsonSerializer.SerializeToUtf8Bytes(new File(ApiPort, NodePort, MqttPort, Environment.ProcessId), HubJson.Default.File),
        DurableFile.Public);

    internal sealed record File(int ApiPort, int NodePort, int MqttPort, int ProcessId);
}
