using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using EdgeVirt.Contracts;
using EdgeVirt.Linux;

namespace EdgeVirt.Node.State;

/// <summary>What is remembered of a set of workloads that are switched together: what to go back to, and what not to try again.</summary>
internal sealed record SettledSet
{
    /// <summary>Which set.</summary>
    public required string Key { get; init; }

    /// <summary>The members as they last proved themselves, with the Configs and Secrets that they name. Confidential.</summary>
    public required NodeDocument Document { get; init; }

    /// <summary>Digests of the images that they ran with, by workload and container: a tag may lead elsewhere by now.</summary>
    public IReadOnlyDictionary<string, IReadOnlyDictionary<string, string>> Images { get; init => field = value ?? Empty; } = Empty;

    /// <summary>The revision of the set that failed and was rolled back; null: none.</summary>
    public RefusedSet? Refused { get; init; }

    private static IReadOnlyDictionary<string, IReadOnlyDictionary<string, string>> Empty { get; } = new Dictionary<string, IReadOnlyDictionary<string, string>>();
}

/// <summary>A revision of a set that was rolled back.</summary>
/// <param name="Revision">Which.</param>
/// <param name="Why">For people.</param>
internal sealed record RefusedSet(string Revision, string Why);

/// <summary>A file for each set, sealed as a whole under the data key, in <c>state/sets</c>. Losing one costs the way back, nothing else.</summary>
internal sealed class SetFiles(NodeOptions options, DataKey key, Quarantine quarantine)
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    private readonly string directory = Path.Combine(options.StateDirectory, "sets");

    /// <summary>All that can be read; damaged ones go to quarantine.</summary>
    public IReadOnlyList<SettledSet> Read()
    {
        List<SettledSet> sets = [];
        foreach (var path in Directory.Exists(directory) ? Directory.GetFiles(directory, "*.bin") : [])
        {
            try
            {
                var plain = key.Open(File.ReadAllBytes(path), Purpose(Path.GetFileNameWithoutExtension(path)));
                sets.Add(JsonSerializer.Deserialize(plain, SettledSetJson.Default.SettledSet) ?? throw new JsonException("nothing is in it"));
            }
            catch (Exception e) when (e is CryptographicException or JsonException or IOException)
            {
                quarantine.Take(path, $"the version of a workload set to go back to ({e.Message})");
            }
        }

        return sets;
    }

    /// <summary>Durable when it returns.</summary>
    public void Write(SettledSet set)
    {
        Directory.CreateDirectory(directory, OwnerOnly | UnixFileMode.UserExecute);
        var name = NameOf(set.Key);
        DurableFile.Write(PathOf(name), key.Seal(JsonSerializer.SerializeToUtf8Bytes(set, SettledSetJson.Default.SettledSet), Purpose(name)), OwnerOnly);
    }

    public void Remove(string set)
    {
        if (Directory.Exists(directory))
        {
            File.Delete(PathOf(NameOf(set)));
        }
    }

    // Not the key itself: it may hold a slash, and need not be read by whoever finds the board.
    private static string NameOf(string set) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(set)).AsSpan(0, 16));

    private static byte[] Purpose(string name) => Encoding.UTF8.GetBytes($"set/{name}");

    private string PathOf(string name) => Path.Combine(directory, name + ".bin");
}

[JsonSourceGenerationOptions(
    JsonSerializerDefaults.Web, UseStringEnumConverter = true, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(SettledSet))]
internal sealed partial class SettledSetJson : JsonSerializerContext;
