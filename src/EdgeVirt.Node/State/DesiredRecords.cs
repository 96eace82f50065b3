using System.IO.Hashing;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using EdgeVirt.Contracts;

namespace EdgeVirt.Node.State;

/// <summary>
/// How a desired document lies in the database: one record per workload, virtual machine, config and secret (its values sealed one by
/// one), and one that says which revision they make up. Hashes are of the content before sealing, so that equal
/// content is recognised and not written again.
/// </summary>
internal sealed class DesiredRecords(DataKey key)
{
    /// <summary>The record that makes the others a revision.</summary>
    public static readonly RecordKey MetaKey = new(StateDatabase.Meta, "desired");

    /// <summary>
    /// Of what kinds the records can be; raised with each new kind. An agent stores of a document what it knows, under the digest of the whole: by this number a
    /// newer one sees that something may be missing. 1: virtual machines too.
    /// </summary>
    public const int Format = 1;

    private static DesiredStateJson Json => DesiredStateJson.Default;

    /// <summary>Takes a document apart into items; those of <paramref name="before"/> whose part is the same object are used again.</summary>
    public static IReadOnlyList<DesiredItem> ItemsOf(NodeDocument document, IReadOnlyDictionary<RecordKey, DesiredItem>? before = null)
    {
        List<DesiredItem> items = new(document.Workloads.Count + document.Configs.Count + document.Secrets.Count);
        foreach (var workload in document.Workloads)
        {
            Add(new RecordKey(StateDatabase.Workloads, workload.Name), workload);
        }

        foreach (var machine in document.VirtualMachines ?? [])
        {
            Add(new RecordKey(StateDatabase.VirtualMachines, machine.Name), machine);
        }

        foreach (var config in document.Configs)
        {
            Add(new RecordKey(StateDatabase.Configs, config.Name), config);
        }

        foreach (var secret in document.Secrets)
        {
            Add(new RecordKey(StateDatabase.Secrets, secret.Name), secret);
        }

        return items;

        void Add(RecordKey key, object part) =>
            items.Add(before?.GetValueOrDefault(key) is { } item && ReferenceEquals(item.Part, part) ? item : new DesiredItem(key, part));
    }

    /// <summary>The record of an item, values of secrets sealed.</summary>
    public StateRecord Seal(DesiredItem item)
    {
        var part = item.Part is DesiredSecret secret ? Map(secret, key.Seal) : item.Part;
        return new StateRecord(item.Key, DesiredItem.Serialize(part));
    }

    /// <summary>The record that names the revision and vouches for its items.</summary>
    public static StateRecord MetaOf(StoredDesired desired, IReadOnlyList<DesiredItem> items) =>
        new(MetaKey, JsonSerializer.SerializeToUtf8Bytes(
            new DesiredMeta(desired.Accepted.Sequence, desired.Accepted.Revision, desired.Accepted.Digest, desired.Document.Node, Fingerprint(items))
            {
                Format = desired.IsWhole ? Format : 0,
            },
            Json.DesiredMeta));

    /// <summary>By which <see cref="Format"/> records were written; null: nothing there says so.</summary>
    public static int? FormatOf(IReadOnlyList<StateRecord> records)
    {
        try
        {
            return MetaIn(records)?.Format;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    /// <summary>Puts a document together from records; null when they do not make up what the meta record vouches for.</summary>
    public StoredDesired? TryAssemble(IReadOnlyList<StateRecord> records)
    {
        try
        {
            if (MetaIn(records) is not { } meta)
            {
                return null;
            }

            // What lies there of a kind that its writer did not know is left from an agent before it.
            var machines = meta.Format < 1 ? [] : Of(StateDatabase.VirtualMachines).Select(data => JsonSerializer.Deserialize(data, Json.DesiredVirtualMachine)!).ToList();

            var document = new NodeDocument
            {
                Node = meta.Node,
                Workloads = [.. Of(StateDatabase.Workloads).Select(data => JsonSerializer.Deserialize(data, Json.DesiredWorkload)!)],
                VirtualMachines = machines.Count > 0 ? machines : null,
                Configs = [.. Of(StateDatabase.Configs).Select(data => JsonSerializer.Deserialize(data, Json.DesiredConfig)!)],
                Secrets = [.. Of(StateDatabase.Secrets).Select(data => Map(JsonSerializer.Deserialize(data, Json.DesiredSecret)!, key.Open))],
            };
            return Fingerprint(ItemsOf(document)) != meta.Fingerprint
                ? null
                : new StoredDesired(meta.ToAccepted(), document)
                {
                    IsWhole = meta.Format >= Format || NodeDocument.DigestOf(document.ToBytes()).AsSpan().SequenceEqual(meta.Digest),
                };
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

    private static DesiredMeta? MetaIn(IReadOnlyList<StateRecord> records) =>
        records.FirstOrDefault(record => record.Key == MetaKey)?.Data is { } json ? JsonSerializer.Deserialize(json, Json.DesiredMeta) : null;

    // A sum, so that it does not depend on the order.
    private static ulong Fingerprint(IReadOnlyList<DesiredItem> items) => items.Aggregate(0UL, (sum, item) => unchecked(sum + item.Hash));

    private static DesiredSecret Map(DesiredSecret secret, Crypt crypt) => secret with
    {
        Data = secret.Data.ToDictionary(pair => pair.Key, pair => crypt(pair.Value, Encoding.UTF8.GetBytes($"secret/{secret.Name}/{pair.Key}"))),
    };

    private delegate byte[] Crypt(ReadOnlySpan<byte> data, ReadOnlySpan<byte> purpose);
}

/// <summary>One workload, virtual machine, config or secret of a document.</summary>
/// <param name="Part">The thing itself, with secrets in the clear.</param>
internal sealed record DesiredItem(RecordKey Key, object Part)
{
    /// <summary>Recognises equal content of the same key.</summary>
    public ulong Hash { get; } = HashOf(Key, Serialize(Part));

    public static byte[] Serialize(object part) => part switch
    {
        DesiredWorkload workload => JsonSerializer.SerializeToUtf8Bytes(workload, DesiredStateJson.Default.DesiredWorkload),
        DesiredVirtualMachine machine => JsonSerializer.SerializeToUtf8Bytes(machine, DesiredStateJson.Default.DesiredVirtualMachine),
        DesiredConfig config => JsonSerializer.SerializeToUtf8Bytes(config, DesiredStateJson.Default.DesiredConfig),
        DesiredSecret secret => JsonSerializer.SerializeToUtf8Bytes(secret, DesiredStateJson.Default.DesiredSecret),
        _ => throw new ArgumentException($"{part.GetType().Name} is no part of a document", nameof(part)),
    };

    private static ulong HashOf(RecordKey key, ReadOnlySpan<byte> content)
    {
        var hash = new XxHash64();
        hash.Append(Encoding.UTF8.GetBytes($"{key.Collection}/{key.Id}\0"));
        hash.Append(content);
        return hash.GetCurrentHashAsUInt64();
    }
}

/// <summary>A document as far as it is stored.</summary>
/// <param name="Accepted">Which revision it is.</param>
/// <param name="Document">What is known of it.</param>
internal sealed record StoredDesired(RevisionIdentity Accepted, NodeDocument Document)
{
    /// <summary>False: an agent that did not know all of its kinds stored it, and what it did not know is missing.</summary>
    public bool IsWhole { get; init; } = true;
}

/// <summary>Which revision the records make up.</summary>
internal sealed record DesiredMeta(ulong Sequence, ulong Revision, byte[] Digest, string Node, ulong Fingerprint)
{
    /// <summary>See <see cref="DesiredRecords.Format"/>; agents from before it do not write it.</summary>
    public int Format { get; init; }

    /// <summary>Which revision it is.</summary>
    public RevisionIdentity ToAccepted() => new(Sequence, Revision, Digest);
}

[JsonSourceGenerationOptions(
    JsonSerializerDefaults.Web, UseStringEnumConverter = true, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(DesiredWorkload))]
[JsonSerializable(typeof(DesiredVirtualMachine))]
[JsonSerializable(typeof(DesiredConfig))]
[JsonSerializable(typeof(DesiredSecret))]
[JsonSerializable(typeof(DesiredMeta))]
[JsonSerializable(typeof(ObservedWorkload))]
[JsonSerializable(typeof(ObservedVirtualMachine))]
internal sealed partial class DesiredStateJson : JsonSerializerContext;
