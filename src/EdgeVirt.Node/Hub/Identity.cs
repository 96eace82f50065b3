using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Serialization;

namespace EdgeVirt.Node.Hub;

/// <summary>Who this node is to its hub.</summary>
/// <param name="Node">The name that the hub gave it.</param>
/// <param name="Hub">The hub's node port.</param>
/// <param name="MqttPort">The hub's MQTT port, on the same host.</param>
/// <param name="Certificate">Client certificate, with its key.</param>
/// <param name="Authority">The hub's authority, the only one that is trusted.</param>
internal sealed record Identity(string Node, HubAddress Hub, int MqttPort, X509Certificate2 Certificate, X509Certificate2 Authority);

/// <summary><c>identity.json</c>: the whole identity but its key, so that one rename puts another one in force.</summary>
internal sealed record IdentityRecord(string Node, string Hub, int MqttPort, DateTimeOffset LastHubTime)
{
    /// <summary>PEM; absent in files of older agents: in node.crt.</summary>
    public string? Certificate { get; init; }

    /// <summary>PEM; absent in files of older agents: in ca.crt.</summary>
    public string? Authority { get; init; }

    /// <summary>What the option <c>hub</c> said at enrollment. Only when it says something else since then is it a newer word than <see cref="Hub"/>.</summary>
    public string? HubOption { get; init; }

    /// <summary>What the hub before wanted is yet to be dropped.</summary>
    public bool DropsDesired { get; init; }

    /// <summary>What the hub before wanted runs on until this one has something for the node to run.</summary>
    public bool KeepsDesired { get; init; }
}

[JsonSourceGenerationOptions(System.Text.Json.JsonSerializerDefaults.Web)]
[JsonSerializable(typeof(IdentityRecord))]
internal sealed partial class IdentityJson : JsonSerializerContext;
