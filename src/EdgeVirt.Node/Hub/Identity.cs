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

/// <summary><c>identity.json</c>.</summary>
internal sealed record IdentityRecord(string Node, string Hub, int MqttPort, DateTimeOffset LastHubTime);

[JsonSourceGenerationOptions(System.Text.Json.JsonSerializerDefaults.Web)]
[JsonSerializable(typeof(IdentityRecord))]
internal sealed partial class IdentityJson : JsonSerializerContext;
