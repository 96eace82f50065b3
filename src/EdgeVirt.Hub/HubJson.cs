using System.Text.Json;
using System.Text.Json.Serialization;
using EdgeVirt.Hub.Api;

namespace EdgeVirt.Hub;

/// <summary>JSON that only the hub itself writes and reads.</summary>
[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(Dictionary<string, string>))]
[JsonSerializable(typeof(string[]))]
[JsonSerializable(typeof(HubEndpoints.File))]
[JsonSerializable(typeof(ApiTokenRequest))]
[JsonSerializable(typeof(ApiTokenIssued))]
[JsonSerializable(typeof(ApiTokenList))]
[JsonSerializable(typeof(LogEntry))]
internal sealed partial class HubJson : JsonSerializerContext;
