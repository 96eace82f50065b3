using System.Text.Json;
using EdgeVirt.Hub.Enrollment;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace EdgeVirt.Hub;

/// <summary>The ports in use. Known once each listener has started; they differ from the options where those say 0.</summary>
internal sealed class HubEndpoints
{
    /// <summary>REST API.</summary>
    public int ApiPort => PortOf(ApiListeners);

    /// <summary>gRPC for nodes.</summary>
    public int NodePort => PortOf(NodeListeners);

    /// <summary>MQTT for nodes; set by the broker when it listens.</summary>
    public int MqttPort { get; set; }

    /// <summary>Kestrel's, one per address; they know their port once they are bound.</summary>
    public List<ListenOptions> ApiListeners { get; } = [];

    /// <summary>Kestrel's, one per address.</summary>
    public List<ListenOptions> NodeListeners { get; } = [];

    /// <summary>Writes the ports to <paramref name="path"/> as <c>{"apiPort": …, "nodePort": …, "mqttPort": …, "processId": …}</c>.</summary>
    public void Write(string path) => DurableFile.Write(
        path,
        JsonSerializer.SerializeToUtf8Bytes(new File(ApiPort, NodePort, MqttPort, Environment.ProcessId), HubJson.Default.File),
        DurableFile.Public);

    private static int PortOf(List<ListenOptions> listeners) => listeners is [var first, ..] ? first.IPEndPoint?.Port ?? 0 : 0;

    internal sealed record File(int ApiPort, int NodePort, int MqttPort, int ProcessId);
}
