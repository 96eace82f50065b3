using System.IO.Hashing;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using EdgeVirt.Contracts;

namespace EdgeVirt.Node.State;

/// <summary>
/// How a desired document lies in the database: one record per workload, config and secret (its values sealed one by
/// one), and one that says which revision they make up. Hashes are of the content before sealing, so that equal
/// content is recognised and not written again.
/// </summary>
internal sealed class DesiredRecords(DataKey key)
{
    /// <summary>The record that makes the others a revision.</summary>
    public static readonly RecordKey MetaKey = new(StateDatabase.Meta, "desired");

    private static DesiredStateJson Json => DesiredStateJson.Default;

    /// <summary>Takes a document apart into items.</summary>
    public static IReadOnlyList<DesiredItem> ItemsOf(NodeDocument document) =>
    [
        .. document.Workloads.Select(workload => new DesiredItem(
            new RecordKey(StateDatabase.Workloads, workload.Name), JsonSerializer.SerializeToUtf8Bytes(workload, Json.DesiredWorkload))),
        .. document.Configs.Select(config => new DesiredItem(
            new RecordKey(StateDatabase.Configs, config.Name), JsonSerializer.SerializeToUtf8Bytes(config, Json.DesiredConfig))),
        .. document.Secrets.Select(secret => new DesiredItem(
            new RecordKey(StateDatabase.Secrets, secret.Name), JsonSerializer.SerializeToUtf8Bytes(secret, Json.DesiredSecret))),
    ];

    /// <summary>The record of an item, values of secrets sealed.</summary>
    public StateRecord Seal(DesiredItem item)
    {
        if (item.Key.Collection != StateDatabase.Secrets)
        {
            return new StateRecord(item.Key, item.Json);
        }

        var secret = JsonSerializer.Deserialize(item.Json, Json.DesiredSecret)!;
        return new StateRecord(item.Key, JsonSerializer.SerializeToUtf8Bytes(Map(secret, key.Seal), Json.DesiredSecret));
    }

    /// <summary>The record that names the revision and vouches for its items.</summary>
    public static StateRecord MetaOf(RevisionIdentity accepted, string node, IReadOnlyList<DesiredItem> items) =>
        new(MetaKey, JsonSerializer.SerializeToUtf8Bytes(
            new DesiredMeta(accepted.Sequence, accepted.Revision, accepted.Digest, node, Fingerprint(items)), Json.DesiredMeta));

    /// <summary>Puts a document together from records; null when they do not make up what the meta record vouches for.</summary>
    public (DesiredMeta Meta, NodeDocument Document)? TryAssemble(IReadOnlyList<StateRecord> records)
    {
        try
        {
            if (records.FirstOrDefault(record => record.Key == MetaKey)?.Data is not { } metaJson
                || JsonSerializer.Deserialize(metaJson, Json.DesiredMeta) is not { } meta)
            {
                return null;
            }

            var document = new NodeDocument
            {
                Node = meta.Node,
                Workloads = [.. Of(StateDatabase.Workloads).Select(data => JsonSerializer.Deserialize(data, Json.DesiredWorkload)!)],
                Configs = [.. Of(StateDatabase.Configs).Select(data => JsonSerializer.Deserialize(data, Json.DesiredConfig)!)],
                Secrets = [.. Of(StateDatabase.Secrets).Select(data => Map(JsonSerializer.Deserialize(data, Json.DesiredSecret)!, key.Open))],
            };
            return Fingerprint(ItemsOf(document)) == meta.Fingerprint ? (meta, document) : null;
        }
        catch (Exception e) when (e is JsonException or CryptographicException)
        {
            return null;
        }

        IEnumerable<byte[]> Of(string collection) => records
            .Where(record => record.Key.Collection == collection)
            .OrderBy(record => record.Key.Id, StringComparer.Ordinal)
            .Select(record => record.Data!);
    }

    private static ulong Fingerprint(IReadOnlyList<DesiredItem> items)
    {
        var hash = new XxHash64();
        foreach (var item in items.OrderBy(item => item.Key.Collection, StringComparer.Ordinal).ThenBy(item => item.Key.Id, StringComparer.Ordinal))
        {
            hash.Append(Encoding.UTF8.GetBytes($"{item.Key.Collection}/{item.Key.Id}\0"));
            hash.Append(BitConverter.GetBytes(item.Hash));
        }

        return hash.GetCurrentHashAsUInt64();
    }

    private static DesiredSecret Map(DesiredSecret secret, Crypt crypt) => secret with
    {
        Data = secret.Data.ToDictionary(pair => pair.Key, pair => crypt(pair.Value, Encoding.UTF8.GetBytes($"secret/{secret.Name}/{pair.Key}"))),
    };

    private delegate byte[] Crypt(ReadOnlySpan<byte> data, ReadOnlySpan<byte> purpose);
}

/// <summary>One workload, config or secret of a document.</summary>
/// <param name="Json">Its content, in the clear.</param>
internal sealed record DesiredItem(RecordKey Key, byte[] Json)
{
    /// <summary>Recognises equal content.</summary>
    public ulong Hash { get; } = XxHash64.HashToUInt64(Json);
}

/// <summary>Which revision the records make up.</summary>
internal sealed record DesiredMeta(ulong Sequence, ulong Revision, byte[] Digest, string Node, ulong Fingerprint)
{
    /// <summary>Which revision it is.</summary>
    public RevisionIdentity ToAccepted() => new(Sequence, Revision, Digest);
}

[JsonSourceGenerationOptions(
    JsonSerializerDefaults.Web, UseStringEnumConverter = true, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(DesiredWorkload))]
[JsonSerializable(typeof(DesiredConfig))]
[JsonSerializable(typeof(DesiredSecret))]
[JsonSerializable(typeof(DesiredMeta))]
[JsonSerializable(typeof(ObservedWorkload))]
internal sealed partial class DesiredStateJson : JsonSerializerContext;
