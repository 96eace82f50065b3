using System.IO.Hashing;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using EdgeVirt.Contracts;

namespace EdgeVirt.Node.State;

/// <summary>
/// Reads documents. A part (workload, virtual machine, config, secret) whose text stood in the document before is the same object again,
/// so that a change among a thousand workloads costs the parsing of one. Safe for use by several threads.
/// </summary>
internal sealed class DocumentReader
{
    private readonly Lock gate = new();
    private Dictionary<UInt128, object> known = [];

    /// <summary>Reads what <see cref="NodeDocument.ToBytes"/> wrote.</summary>
    /// <exception cref="JsonException">The bytes are no document.</exception>
    public NodeDocument Read(ReadOnlySpan<byte> bytes)
    {
        lock (gate)
        {
            var seen = new Dictionary<UInt128, object>(known.Count);
            var document = Read(bytes, seen);
            known = seen;
            return document;
        }
    }

    private NodeDocument Read(ReadOnlySpan<byte> bytes, Dictionary<UInt128, object> seen)
    {
        var reader = new Utf8JsonReader(bytes);
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            throw new JsonException("The document is no object.");
        }

        string? node = null;
        IReadOnlyList<DesiredWorkload> workloads = [];
        IReadOnlyList<DesiredVirtualMachine>? machines = null;
        IReadOnlyList<DesiredConfig> configs = [];
        IReadOnlyList<DesiredSecret> secrets = [];
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var name = reader.GetString();
            reader.Read();
            switch (name)
            {
                case "node" when reader.TokenType == JsonTokenType.String:
                    node = reader.GetString();
                    break;
                case "workloads":
                    workloads = Parts(ref reader, bytes, ContractsJson.Default.DesiredWorkload, seen);
                    break;
                case "virtualMachines":
                    machines = reader.TokenType == JsonTokenType.Null ? null : Parts(ref reader, bytes, ContractsJson.Default.DesiredVirtualMachine, seen);
                    break;
                case "configs":
                    configs = Parts(ref reader, bytes, ContractsJson.Default.DesiredConfig, seen);
                    break;
                case "secrets":
                    secrets = Parts(ref reader, bytes, ContractsJson.Default.DesiredSecret, seen);
                    break;
                default:
                    // Of a newer hub.
                    reader.Skip();
                    break;
            }
        }

        // Nothing but white space may follow.
        reader.Read();
        return new NodeDocument
        {
            Node = node ?? throw new JsonException("The document names no node."), Workloads = workloads, VirtualMachines = machines, Configs = configs, Secrets = secrets,
        };
    }

    private List<T> Parts<T>(ref Utf8JsonReader reader, ReadOnlySpan<byte> bytes, JsonTypeInfo<T> type, Dictionary<UInt128, object> seen)
        where T : class
    {
        List<T> parts = [];
        if (reader.TokenType == JsonTokenType.Null)
        {
            return parts;
        }

        if (reader.TokenType != JsonTokenType.StartArray)
        {
            throw new JsonException($"What should be a list of {typeof(T).Name} is none.");
        }

        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            var start = (int)reader.TokenStartIndex;
            reader.Skip();
            var text = bytes[start..(int)reader.BytesConsumed];
            var key = XxHash128.HashToUInt128(text);
            if (!seen.TryGetValue(key, out var part) && !known.TryGetValue(key, out part))
            {
                part = JsonSerializer.Deserialize(text, type) ?? throw new JsonException($"A {typeof(T).Name} is null.");
            }

            // Config and Secret look alike: the same text may be both.
            var typed = part as T ?? JsonSerializer.Deserialize(text, type)!;
            seen[key] = typed;
            parts.Add(typed);
        }

        return parts;
    }
}
