using System.Text;
using System.Text.Json;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Hub.Storage;

namespace EdgeVirt.Hub.Resources;

/// <summary>When two specs mean the same, and what of a spec may be shown.</summary>
internal static class ResourceSpecs
{
    /// <summary>Whether two specs differ in more than the order of keys and in defaults written out.</summary>
    public static bool Same(string kind, JsonElement one, JsonElement other) =>
        JsonElement.DeepEquals(Complete(kind, one), Complete(kind, other));

    /// <summary>Values of a Secret: what is new over what is there.</summary>
    /// <param name="spec">As handed in.</param>
    /// <param name="current">What the store holds, null if nothing.</param>
    /// <param name="cameFromHere">The manifest carries the resource's uid, so it is one that the API gave out, with its
    /// values left empty: those stay what they are.</param>
    public static Dictionary<string, byte[]> MergeSecret(SecretSpec spec, IReadOnlyDictionary<string, byte[]>? current, bool cameFromHere)
    {
        var merged = new Dictionary<string, byte[]>();
        foreach (var (key, value) in spec.Data ?? new Dictionary<string, byte[]>())
        {
            merged[key] = cameFromHere && value.Length == 0 && current?.GetValueOrDefault(key) is { } kept ? kept : value;
        }

        foreach (var (key, value) in spec.StringData ?? new Dictionary<string, string>())
        {
            merged[key] = Encoding.UTF8.GetBytes(value);
        }

        return merged;
    }

    public static bool SameSecret(IReadOnlyDictionary<string, byte[]> one, IReadOnlyDictionary<string, byte[]> other) =>
        one.Count == other.Count && one.All(entry => other.TryGetValue(entry.Key, out var value) && value.AsSpan().SequenceEqual(entry.Value));

    /// <summary>The spec of a Secret with every value empty.</summary>
    public static JsonElement ShowSecret(IReadOnlyDictionary<string, byte[]> data) =>
        JsonSerializer.SerializeToElement(
            new SecretSpec { Data = new SortedDictionary<string, byte[]>(data.ToDictionary(entry => entry.Key, _ => Array.Empty<byte>()), StringComparer.Ordinal) },
            ContractsJson.Default.SecretSpec);

    public static byte[] SealSecret(SecretsKey key, string uid, IReadOnlyDictionary<string, byte[]> data) =>
        key.Seal(JsonSerializer.SerializeToUtf8Bytes(new SecretSpec { Data = data }, ContractsJson.Default.SecretSpec), $"Secret/{uid}");

    public static IReadOnlyDictionary<string, byte[]> UnsealSecret(SecretsKey key, StoredResource stored) =>
        stored.Sealed is null
            ? new Dictionary<string, byte[]>()
            : JsonSerializer.Deserialize(key.Unseal(stored.Sealed, $"Secret/{stored.Shown.Metadata.Uid}"), ContractsJson.Default.SecretSpec)?.Data
                ?? new Dictionary<string, byte[]>();

    // Reading into the record and writing it again fills in every default.
    private static JsonElement Complete(string kind, JsonElement spec)
    {
        var type = ResourceKind.ByName(kind)!.SpecType;
        return JsonSerializer.SerializeToElement(spec.Deserialize(type), type);
    }
}
